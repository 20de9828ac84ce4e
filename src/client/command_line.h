// What the commands that ask have in common.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "antiphon/client.h"
#include "antiphon/status.h"

namespace antiphon::client {

// One --text, --audio or --image.
struct Item {
  enum class Kind { kText, kAudio, kImage };
  Kind kind = Kind::kText;
  std::string value;  // the text, or a file's path
};

// Of the audio that travels. `sample_rate` 0: 24000 for Opus, else 16000.
AudioFormat FormatFor(bool opus, int sample_rate);

// With the server's hint when to try again, if it gave one.
Status WithRetryHint(const Status& status, std::optional<std::chrono::milliseconds> retry_after);

}  // namespace antiphon::client
