// Many users who talk with one server at the same time, for as long as it is asked for: what all of them wait
// for, and how many the server takes.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "antiphon/client.h"
#include "antiphon/status.h"
#include "bench/manifest.h"
#include "common/latency_summary.h"

namespace antiphon::bench {

struct CapacityOptions {
  std::string server;
  int sessions = 1;  // users at once, on a connection each; one that is refused stays away
  // From one call to the next, at least 1 ms. In a sweep such that they begin spread over a turn.
  std::chrono::milliseconds call_every{500};
  // Nobody calls any more after the first refusal: how many the server takes.
  bool until_refused = false;
  std::chrono::milliseconds turn_every{8'000};  // a question, its answer and silence; longer if they are
  std::chrono::milliseconds measured{60'000};   // from when the last has called and everybody has had a turn
  // Further clients that type questions one after the other into Generate, whose answers nobody waits for.
  int bulk = 0;
  std::chrono::milliseconds timeout{60'000};  // of an answer
};

// Called when the measured time begins and when it ends.
struct CapacityListener {
  virtual ~CapacityListener() = default;
  virtual void OnBegin() = 0;
  virtual void OnEnd() = 0;
};

// Of the turns whose question began within the measured time.
struct CapacityLoad {
  int admitted = 0;
  std::vector<Status> refusals;  // of calls
  int turns = 0;
  int cut_ins = 0;               // their latency does not count
  std::vector<Status> failures;  // of turns, at any time; the user calls again
  int underruns = 0;
  LatencySummary turn_ms;      // ClientLatency::first_audible_ms
  LatencySummary endpoint_ms;  // ClientLatency::turn_ended_ms
  LatencySummary margin_ms;    // ClientLatency::least_margin_ms
  int bulk_answers = 0;
};

// Users speak the questions, each beginning at another one, in real time, send silence between their turns as
// microphones do, and stay on the line to the end. Returns when all have hung up. An error only if nobody
// could call, or a recording cannot be read. `listener` is called on this thread and must not be null.
Result<CapacityLoad> RunCapacity(const std::vector<Question>& questions, const CapacityOptions& options,
                                 CapacityListener* listener);

}  // namespace antiphon::bench
