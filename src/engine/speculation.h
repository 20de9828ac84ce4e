// An answer that is begun before its turn is over.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "antiphon/types.h"
#include "engine/kv_pages.h"
#include "engine/recording.h"
#include "engine/sequence_state.h"
#include "engine/step.h"
#include "model/stream_grammar.h"

namespace antiphon {

// Runs the first steps of a response on a fork of its sequence and keeps what they wrote. Since a draw
// depends on state, options and position only, these are the steps that the response would have had. A value;
// engine's thread only.
class Speculation {
 public:
  // What a step wrote, for whoever takes the response over.
  struct Written {
    AnswerOutcome outcome;
    std::vector<float> speech;
    std::vector<float> word_scores;
    RecordedAnswer answer;
  };

  // `state`: of the fork, with the response begun. At most `most_steps`, and `max_positions` of the sequence.
  Speculation(SequenceState state, const SamplingOptions& sampling, int most_steps, int64_t max_positions)
      : state_(std::move(state)),
        sampling_(sampling),
        most_steps_(static_cast<size_t>(most_steps)),
        max_positions_(max_positions) {}

  bool wants_step() const {
    return written_.size() < most_steps_ && state_.stream.in_response() && state_.length() < max_positions_;
  }
  const SequenceState& state() const { return state_; }
  int64_t steps() const { return static_cast<int64_t>(written_.size()); }

  // A position more; see PageTable::Reserve.
  [[nodiscard]] bool Reserve(const PageCopier& copy) { return state_.pages.Reserve(1, copy); }
  // REQUIRES: wants_step().
  StepItem BeginStep() const;
  // Takes the results over.
  void FinishStep(StepItem item);
  // A word of the answer begins with this piece, the one written last.
  void AddWord(int64_t piece) { words_.push_back(piece); }

  // What there is; the speculation is then worth nothing.
  SequenceState TakeState() { return std::move(state_); }
  std::vector<Written> TakeWritten() { return std::move(written_); }

 private:
  SequenceState state_;
  SamplingOptions sampling_;
  size_t most_steps_;
  int64_t max_positions_;
  std::vector<int64_t> words_;  // the first piece of each
  std::vector<Written> written_;
};

}  // namespace antiphon
