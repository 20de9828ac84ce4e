// Conversations whose connection is cut, held against undisturbed ones.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/client.h"
#include "antiphon/status.h"
#include "bench/transcription.h"

namespace antiphon::bench {

struct ResumptionsOptions {
  std::string server;
  int cuts = 100;  // conversations, each with one cut at least
  // Typed, one after the other in every conversation.
  std::vector<std::string> requests = {"count from one to five", "what is two plus three"};
  std::vector<float>
      speech;         // 24 kHz; asked behind them, without waiting for the time it takes, and committed
  uint32_t seed = 1;  // of the moments
  std::chrono::milliseconds timeout{60'000};  // of one wait
};

// What became of one conversation.
struct Resumption {
  uint64_t cut_at_byte = 0;  // of those that pass the connection, both ways, after the opening
  int cuts = 0;              // that there were
  Status status;
  bool same_text = false;   // as the undisturbed one, in transcripts, answers and ends
  bool same_audio = false;  // sample by sample
  // From the cut to the first event after it. The client's first pause, 50 ms, is in it.
  std::optional<double> outage_ms;

  bool Good() const { return status.ok() && cuts > 0 && same_text && same_audio; }
};

using ResumptionListener = std::function<void(const Resumption& resumption, int done)>;

struct Resumptions {
  Transcription undisturbed;
  uint64_t undisturbed_bytes = 0;
  std::vector<Resumption> all;
};

// One conversation without a cut, then one after the other with, at moments spread evenly over the bytes of
// the first. Its failure is the result; that of others is told in theirs.
Result<Resumptions> RunResumptions(const ResumptionsOptions& options, const ResumptionListener& listener);

}  // namespace antiphon::bench
