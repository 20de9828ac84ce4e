// The video of a sequence: which frame is run when, and how one leaves the context.
#include <algorithm>
#include <utility>
#include <variant>

#include "engine/live_sequence.h"

namespace antiphon {
namespace {

constexpr Nanoseconds kPatience = PlannerLimits{}.patience;  // of a video frame: it is best effort

}  // namespace

void LiveSequence::TakeVideoFrame(VideoFrame frame) {
  port_->GiveBack(0, static_cast<int64_t>(frame.pieces.size()));  // the window is bounded by itself
  auto moment = VideoWindow::Moment::kBetweenTurns;
  if (stream().in_turn()) moment = VideoWindow::Moment::kInTurn;
  if (WaitingTurnEnd() != nullptr) moment = VideoWindow::Moment::kBehindTurnEnd;
  video_.Add(std::move(frame), moment, most_video_frames());
}

// A text or picture that was begun comes first. So does, within a turn, a heard frame that is more urgent:
// the turn may end with it, and who is about to be answered should not wait for a picture.
const VideoFrame* LiveSequence::NextVideoFrame() const {
  if (typed_ > 0 || stream().in_response() || !rerun_.empty()) return nullptr;
  if (!waiting_.empty() && std::holds_alternative<FunctionDeclaration>(waiting_.front())) return nullptr;
  const VideoFrame* next = video_.Next(WaitingTurnEnd() != nullptr);
  if (next == nullptr || video_.run() > 0) return next;
  const SequenceRequest* front = waiting_.empty() ? nullptr : &waiting_.front();
  if (!stream().in_turn() || JustDeclared()) return front != nullptr && IsInput(*front) ? next : nullptr;
  const auto* heard = front != nullptr ? std::get_if<HeardFrame>(front) : nullptr;
  const bool urgent =
      heard != nullptr && SpokenAt(*heard) + FramePeriod(context_.config) <= next->received + kPatience;
  return urgent ? nullptr : next;
}

// Whatever of the video would have to leave for it.
bool LiveSequence::HasRoomForVideo() const {
  const int64_t may_leave = video_.run() == 0 ? video_.rows_in_context() : 0;
  return NextInput().rows <= context_.config.max_positions - state_.length() + may_leave;
}

// True if there was one.
bool LiveSequence::DropVideoWithoutRoom() {
  if (NextVideoFrame() == nullptr || HasRoomForVideo()) return false;
  video_.DropFirst();
  return true;
}

// What has to leave before the next frame is begun: all beyond the newest, and what there is no room for.
bool LiveSequence::LetVideoLeave(const GapCloser& close) {
  if (NextVideoFrame() == nullptr || video_.run() > 0) return true;
  const auto full = [this] {
    const int64_t rows = NextInput().rows;
    return video_.in_context() >= most_video_frames() ||
           rows > context_.config.max_positions - state_.length();
  };
  while (video_.in_context() > 0 && full()) {
    if (!LetOldestVideoLeave(close)) return false;
  }
  return true;
}

bool LiveSequence::LetOldestVideoLeave(const GapCloser& close) {
  const int64_t first = video_.oldest_first();
  const int64_t rows = video_.oldest_rows();
  SequenceRecorder* recorder = recorder_.get();
  if (recorder != nullptr) recorder->Follow(state_);
  try {
    if (!state_.Remove(first, rows, close)) return false;
    if (recorder != nullptr) recorder->Removed(first, rows);
  } catch (...) {
    // Keys that were half moved are worth nothing: the conversation goes on from what stands before them, and
    // an open turn is lost.
    const bool in_turn = stream().in_turn();
    if (first < length_before_turn_) {
      before_turn_ = StreamState{.phase = StreamState::Phase::kBetween};
      length_before_turn_ = first;
    }
    response_begin_.reset();
    StreamState after{.phase = StreamState::Phase::kBetween};
    if (in_turn)
      after = {.phase = StreamState::Phase::kListening, .next_symbol = context_.config.symbols.pad};
    state_.Truncate(first, after);
    video_.ForgetContext();
    throw;
  }
  if (first < length_before_turn_) length_before_turn_ -= rows;
  if (response_begin_ && first < *response_begin_) *response_begin_ -= rows;
  video_.OldestLeft();
  return true;
}

void LiveSequence::RefuseVideo(const Status& error) {
  video_.DropFirst();
  turn_lost_ = true;
  port_->Deliver(turn_, InputRefused{error});
}

}  // namespace antiphon
