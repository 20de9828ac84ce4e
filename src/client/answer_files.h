// What the command line does with answers besides printing them.
#pragma once

#include <span>
#include <string>

#include "antiphon/ask.h"
#include "antiphon/status.h"

namespace antiphon::client {

// Both: FAILED_PRECONDITION when there is nothing to write, UNAVAILABLE when it cannot be written.

// All speech as one WAV file, with half a second between the answers.
Status WriteSpeech(const std::string& path, std::span<const Answer> answers);
// All pictures: FILE.png, then FILE-2.png and so on.
Status WriteImages(const std::string& path, std::span<const Answer> answers);

}  // namespace antiphon::client
