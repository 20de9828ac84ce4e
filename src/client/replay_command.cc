#include "client/replay_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "antiphon/client.h"
#include "client/report.h"

namespace antiphon::client {
namespace {

using Outcomes = std::vector<Result<ReplayOutcome>>;

const char* NameOf(ReplayDifference::Channel channel) {
  switch (channel) {
    case ReplayDifference::Channel::kSymbol:
      return "symbol";
    case ReplayDifference::Channel::kHeard:
      return "heard";
    case ReplayDifference::Channel::kSpoken:
      return "spoken";
  }
  return "";
}

const char* NameOf(RecordingEnd end) {
  switch (end) {
    case RecordingEnd::kClosed:
      return "closed";
    case RecordingEnd::kFull:
      return "full";
    case RecordingEnd::kLost:
      return "lost";
    case RecordingEnd::kBrokenOff:
      return "broken off";
  }
  return "";
}

std::string Number(int64_t number) { return number < 0 ? "none" : std::to_string(number); }

std::string Told(const ReplayDifference& difference) {
  const bool symbol = difference.channel == ReplayDifference::Channel::kSymbol;
  const std::string what =
      symbol ? "symbol" : fmt::format("{} code {}", NameOf(difference.channel), difference.codebook);
  return fmt::format("DIFFERENT at position {}: {}, expected {}, got {}", difference.position, what,
                     Number(difference.expected), Number(difference.got));
}

std::string Told(const std::string& file, const ReplayOutcome& outcome) {
  const ReplayCounts& counts = outcome.counts;
  std::string line = file + ": " + (outcome.difference ? Told(*outcome.difference) : "equal");
  line += fmt::format(" ({} positions, {} symbols, {} frames heard, {} spoken", counts.positions,
                      counts.symbols, counts.heard_frames, counts.spoken_frames);
  if (outcome.end != RecordingEnd::kClosed) line += fmt::format("; recording {}", NameOf(outcome.end));
  if (outcome.recorded_with != outcome.replayed_with) {
    line += fmt::format("; recorded with {}, replayed with {}", outcome.recorded_with, outcome.replayed_with);
  }
  return line + ")\n";
}

nlohmann::json ToJson(const std::string& file, const Result<ReplayOutcome>& result) {
  nlohmann::json json = {{"file", file}, {"error", ErrorJson(result.status())}};
  if (!result.ok()) return json;
  json["equal"] = result->equal();
  json["difference"] = nullptr;
  if (const auto& difference = result->difference) {
    json["difference"] = {{"position", difference->position},
                          {"channel", NameOf(difference->channel)},
                          {"codebook", difference->codebook},
                          {"expected", difference->expected},
                          {"got", difference->got}};
  }
  json["positions"] = result->counts.positions;
  json["symbols"] = result->counts.symbols;
  json["heard_frames"] = result->counts.heard_frames;
  json["spoken_frames"] = result->counts.spoken_frames;
  json["recording_end"] = NameOf(result->end);
  json["recorded_with"] = result->recorded_with;
  json["replayed_with"] = result->replayed_with;
  return json;
}

// All files, so many at a time.
Outcomes ReplayAll(const ReplayCommand& command) {
  Outcomes outcomes(command.files.size(), Result<ReplayOutcome>(Internal("not replayed")));
  Result<std::unique_ptr<Client>> client = Client::Connect(command.server, {});
  if (!client.ok()) {
    std::ranges::fill(outcomes, Result<ReplayOutcome>(client.status()));
    return outcomes;
  }
  std::atomic<size_t> next = 0;
  const auto replay = [&] {
    for (size_t i = next++; i < command.files.size(); i = next++) {
      outcomes[i] = (*client)->Replay(command.files[i], command.timeout);
    }
  };
  const size_t at_once = std::min(static_cast<size_t>(command.sessions), command.files.size());
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < at_once; ++i) threads.emplace_back(replay);
  threads.clear();  // waits for them
  return outcomes;
}

}  // namespace

int RunReplay(const ReplayCommand& command) {
  const Outcomes outcomes = ReplayAll(command);
  size_t equal = 0;
  nlohmann::json list = nlohmann::json::array();
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const std::string& file = command.files[i];
    const Result<ReplayOutcome>& outcome = outcomes[i];
    equal += outcome.ok() && outcome->equal() ? 1 : 0;
    if (command.json) list.push_back(ToJson(file, outcome));
    if (!outcome.ok()) {
      std::fputs(("antiphon: " + file + ": " + outcome.status().ToString() + "\n").c_str(), stderr);
    } else if (!command.json) {
      std::fputs(Told(file, *outcome).c_str(), stdout);
    }
  }
  if (command.json) {
    PrintJson({{"server", command.server}, {"equal", equal == outcomes.size()}, {"recordings", list}});
  } else {
    std::printf("%zu of %zu recordings equal\n", equal, outcomes.size());
  }
  return equal == outcomes.size() ? 0 : 1;
}

}  // namespace antiphon::client
