// `antiphon generate`: parts in, one response out.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/types.h"
#include "client/command_line.h"

namespace antiphon::client {

struct GenerateCommand {
  std::string server;
  std::vector<Item> parts;              // in the order given
  std::vector<std::string> modalities;  // "text", "audio", "image"; empty: all that the model can
  std::string out_audio;                // empty: not written
  std::string out_image;                // empty: not written
  bool json = false;
  FormatOptions format;          // of the speech
  int max_response_seconds = 0;  // 0: the server's default
  std::optional<std::string> instructions;
  std::optional<std::string> voice;
  std::optional<SpeechSpeed> speed;
  std::optional<uint64_t> seed;
  std::optional<float> temperature;
  std::chrono::milliseconds wait_for_place{0};
  std::chrono::milliseconds timeout{60'000};
};

// Prints the text to standard output as it comes and an account of the response after it, failures to
// standard error as well. The process's exit status: 0, or 1 after a failure.
int RunGenerate(const GenerateCommand& command);

}  // namespace antiphon::client
