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

// Of the audio that travels, as the options say.
struct FormatOptions {
  AudioEncoding encoding = AudioEncoding::kPcm16;
  int sample_rate = 0;  // 0: 16000 for PCM16, 24000 for Opus, 8000 for G.711
  int expected_loss_percent = 0;
};
AudioFormat FormatFor(const FormatOptions& options);

// With the server's hint when to try again, if it gave one.
Status WithRetryHint(const Status& status, std::optional<std::chrono::milliseconds> retry_after);

}  // namespace antiphon::client
