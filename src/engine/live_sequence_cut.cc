// A response that was not heard to its end: how the sequence comes to know what was heard, and no more.
#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "engine/live_sequence.h"

namespace antiphon {

void LiveSequence::CutResponse(int64_t frames) {
  const bool under_way = stream().in_response();
  if (!response_begin_ || !response_spoken_) {
    if (under_way) EndResponse(ResponseEnd::kCancelled, OkStatus());
    return;
  }
  const int64_t begin = *std::exchange(response_begin_, std::nullopt);
  frames = std::clamp<int64_t>(frames, 0, spoken_frames_);
  const int64_t pieces = alignment_.PiecesWithin(frames, static_cast<int64_t>(answer_.size()), speech_over_);
  const std::vector<StreamPosition> run = PositionsFrom(begin);
  CutAnswer cut;
  if (!run.empty()) cut = context_.grammar.Cut(run, stream(), pieces, frames);

  TextDecoder decoder;
  std::string text;
  for (int64_t i = 0; i < pieces; ++i) {
    text += decoder.Append(context_.tokenizer, answer_[static_cast<size_t>(i)]);
  }
  CutBack(begin + cut.kept, {.phase = StreamState::Phase::kBetween});
  if (rerun_.empty()) rerun_begin_ = begin;
  const auto room = static_cast<size_t>(context_.config.max_positions - state_.length() - PositionsToRerun());
  if (cut.rerun.size() > room) cut.rerun.resize(room);
  rerun_.insert(rerun_.end(), cut.rerun.begin(), cut.rerun.end());

  port_->Deliver(turn_, ResponseCut{.frames = static_cast<int>(frames), .text = std::move(text)});
  if (under_way) EndResponse(ResponseEnd::kCancelled, OkStatus());
}

// All positions from there on, those that are yet to be run once more included.
std::vector<StreamPosition> LiveSequence::PositionsFrom(int64_t first) const {
  const auto run = std::min(static_cast<size_t>(first), state_.positions.size());
  const auto skipped = static_cast<size_t>(rerun_done_ + first) - run;
  std::vector<StreamPosition> positions(state_.positions.begin() + static_cast<std::ptrdiff_t>(run),
                                        state_.positions.end());
  positions.insert(positions.end(), rerun_.begin() + static_cast<std::ptrdiff_t>(skipped), rerun_.end());
  return positions;
}

// The first `length` positions stay, those that are yet to be run once more included.
void LiveSequence::CutBack(int64_t length, const StreamState& stream) {
  const int64_t run = std::min(length, state_.length());
  if (length == run) {
    rerun_.clear();
    rerun_done_ = 0;
  } else {
    rerun_.resize(static_cast<size_t>(rerun_done_ + length - run));
  }
  state_.Truncate(run, stream);
}

void LiveSequence::FinishRerun(int64_t positions) {
  rerun_done_ += positions;
  if (PositionsToRerun() > 0) return;
  if (ReadsInstructions()) KeepPrefix();
  rerun_.clear();
  rerun_done_ = 0;
}

// A step of it came to nothing: better no answer, or no memory at all, than a broken one.
void LiveSequence::GiveUpRerun(const Status& error) {
  if (stream().in_response()) EndResponse(ResponseEnd::kFailed, error);
  const bool in_turn = stream().in_turn();
  response_begin_.reset();
  rerun_.clear();
  rerun_done_ = 0;
  StreamState before{.phase = StreamState::Phase::kBetween};
  if (rerun_begin_ == 0) before = {};
  state_.Truncate(rerun_begin_, before);
  if (rerun_begin_ == 0) {
    video_.ForgetContext();
    instructed_ = 0;
  }
  if (!in_turn) return;
  turn_lost_ = true;
  port_->Deliver(turn_, InputRefused{error});
}

}  // namespace antiphon
