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
  const std::span<const StreamPosition> run = std::span(state_.positions).subspan(static_cast<size_t>(begin));
  CutAnswer cut;
  if (!run.empty()) cut = context_.grammar.Cut(run, stream(), pieces, frames);

  TextDecoder decoder;
  std::string text;
  for (int64_t i = 0; i < pieces; ++i) {
    text += decoder.Append(context_.tokenizer, answer_[static_cast<size_t>(i)]);
  }
  state_.Truncate(begin + cut.kept, {.phase = StreamState::Phase::kBetween});
  rerun_begin_ = begin;
  rerun_ = std::move(cut.rerun);
  rerun_done_ = 0;
  const auto room = static_cast<size_t>(context_.config.max_positions - state_.length());
  if (rerun_.size() > room) rerun_.resize(room);

  port_->Deliver(turn_, ResponseCut{.frames = static_cast<int>(frames), .text = std::move(text)});
  if (under_way) EndResponse(ResponseEnd::kCancelled, OkStatus());
}

void LiveSequence::FinishRerun(int64_t positions) {
  rerun_done_ += positions;
  if (rerun_done_ < static_cast<int64_t>(rerun_.size())) return;
  if (ReadsInstructions()) KeepPrefix();
  rerun_.clear();
  rerun_done_ = 0;
}

// A step of it came to nothing: better no answer, or no memory at all, than a broken one.
void LiveSequence::GiveUpRerun() {
  rerun_.clear();
  rerun_done_ = 0;
  StreamState before{.phase = StreamState::Phase::kBetween};
  if (rerun_begin_ == 0) before = {};
  state_.Truncate(rerun_begin_, before);
  if (rerun_begin_ > 0) return;
  video_.ForgetContext();
  instructed_ = 0;
}

}  // namespace antiphon
