// `antiphon ask`: one or more questions in one conversation.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/client.h"
#include "antiphon/types.h"
#include "client/command_line.h"
#include "client/function_options.h"

namespace antiphon::client {

struct AskCommand {
  std::string server;
  std::vector<Item> items;         // in the order given; pictures belong to the question behind them
  std::vector<std::string> video;  // files of frames, in the order given
  double video_fps = 5;            // 0.1 to 5
  std::string out_audio;           // empty: not written
  std::string out_image;           // empty: not written
  std::string from_session;        // file of an exported session to go on from; empty: a new one
  std::string out_session;         // file for the session as it is at the end; empty: not written
  bool fast = false;
  bool write = false;
  bool json = false;
  FormatOptions format;  // both ways
  std::optional<std::string> instructions;
  std::optional<std::string> voice;
  std::optional<SpeechSpeed> speed;
  std::optional<TurnDetection> turn_detection;
  std::optional<Interruption> interruption;
  std::optional<int> playback_delay_ms;
  std::optional<int> max_lead_ms;
  std::optional<SpeechEnhancement> enhancement;
  std::vector<AnsweredFunction> functions;
  std::optional<uint64_t> seed;
  std::optional<float> temperature;
  std::chrono::milliseconds wait_for_place{0};
  std::chrono::milliseconds timeout{60'000};
};

// Prints to standard output, failures to standard error as well. The process's exit status: 0, or 1 after a
// failure.
int RunAsk(const AskCommand& command);

}  // namespace antiphon::client
