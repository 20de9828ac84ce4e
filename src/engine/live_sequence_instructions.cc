// What stands at the beginning of a sequence: its instructions, and pages of it that are there already.
#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/live_sequence.h"

namespace antiphon {

void LiveSequence::Instruct(std::vector<int64_t> pieces) {
  if (turn_ > 0 || stream().in_turn() || stream().in_response()) return;
  const bool at_start = state_.length() + std::ssize(rerun_) - rerun_done_ == instructed_;
  if (!at_start || pieces == instructions_) return;
  instructions_ = std::move(pieces);
  rerun_.clear();
  rerun_done_ = 0;
  state_.Truncate(0, {});
  // Others as long, known by another sequence, would look like these.
  if (SequenceRecorder* recorder = recorder_.get()) recorder->Follow(state_);
  instructed_ = 0;
  ReadInstructions();
}

// A sequence that could not read them, for want of memory, tries again before its first turn opens.
void LiveSequence::ReadInstructions() {
  if (instructions_.empty() || stream().phase != StreamState::Phase::kNew || !rerun_.empty()) return;
  context_.grammar.Instruct(instructions_, &state_.stream, &rerun_);
  instructed_ = std::ssize(rerun_);
  rerun_done_ = rerun_begin_ = 0;
  last_run_ = std::max(last_run_, context_.clock.Now());
  TakeKnownPrefix();
}

// What is to be run from the first position on need not be, as far as another sequence has.
void LiveSequence::TakeKnownPrefix() {
  const std::vector<int32_t> pages = context_.prefixes.Find(rerun_);
  if (pages.empty()) return;
  state_.pages.Truncate(0);  // what a step that failed had reserved
  state_.pages.Adopt(pages);
  const auto end = rerun_.begin() + static_cast<std::ptrdiff_t>(state_.length());
  state_.positions.assign(rerun_.begin(), end);
  rerun_.erase(rerun_.begin(), end);
}

void LiveSequence::KeepPrefix() {
  context_.prefixes.Keep(std::span(state_.positions).first(static_cast<size_t>(instructed_)),
                         state_.pages.pages());
}

}  // namespace antiphon
