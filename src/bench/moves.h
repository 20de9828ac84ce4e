// Conversations that move to another server at a random moment, held against undisturbed ones.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/status.h"
#include "bench/transcription.h"

namespace antiphon::bench {

struct MovesOptions {
  std::string from;  // addresses of two servers with the same model
  std::string to;
  int trials = 20;  // conversations, each with one move
  // Typed, one after the other in every conversation.
  std::vector<std::string> requests = {"count from one to five", "what is two plus three"};
  std::vector<float>
      speech;         // 24 kHz; asked behind them, without waiting for the time it takes, and committed
  uint32_t seed = 1;  // of the moments
  std::chrono::milliseconds timeout{60'000};  // of one wait
};

// What became of one conversation.
struct Move {
  int moment = 0;  // of what was sent and received before it, how much
  bool moved = false;
  bool in_response = false;  // it was under way
  bool in_speech = false;    // of the user's
  size_t bytes = 0;          // of the session
  Status status;
  bool same_text = false;   // as the undisturbed one, in transcripts, answers and ends
  bool same_audio = false;  // sample by sample, none missing and none twice
  // From the wish for the session to the first event of the other server behind SessionImported.
  std::optional<double> outage_ms;
  // The least audio that was ahead of a playback without a break, of answers under way at the move; below 0:
  // the user heard a gap.
  std::optional<double> least_margin_ms;

  bool Good() const { return status.ok() && moved && same_text && same_audio; }
};

using MoveListener = std::function<void(const Move& move, int done)>;

struct Moves {
  Transcription undisturbed;
  int moments = 0;  // that the undisturbed conversation has
  std::vector<Move> all;
};

// One conversation that does not move, then one after the other that does, at moments spread evenly over the
// first. Its failure is the result; that of others is told in theirs.
Result<Moves> RunMoves(const MovesOptions& options, const MoveListener& listener);

}  // namespace antiphon::bench
