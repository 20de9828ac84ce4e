#include "conversation/video_input.h"

#include <algorithm>
#include <utility>

#include "conversation/image_input.h"
#include "media/image.h"

namespace antiphon {

std::variant<Image, Refusal> VideoInput::Decode(const client_event::VideoFrame& frame, TimePoint received) {
  const std::string event = "video_frame";
  if (image_side_ == 0) {
    return Refusal{Status(StatusCode::kUnimplemented, "this model knows no pictures"), event};
  }
  // What costs nothing is checked first, and the pixels only then.
  if (!InTime(received)) {
    return Refusal{ResourceExhausted("video frames come faster than 5 a second, the most that are taken"),
                   event};
  }
  auto decoded = DecodeVideoFrame(frame);
  if (!std::holds_alternative<Image>(decoded)) return decoded;
  Result<Image> square = FitImage(std::get<Image>(decoded), image_side_);
  if (!square.ok()) return Refusal{square.status(), event + ".data"};
  return *std::move(square);
}

// A bucket of kBurst tokens that gets one each kPeriod: `next_due_` is when it is full, one period later for
// each token that is missing.
bool VideoInput::InTime(TimePoint received) {
  const TimePoint due = std::max(next_due_, received);
  if (due - received > (kBurst - 1) * kPeriod) return false;
  next_due_ = due + kPeriod;
  return true;
}

void VideoInput::Hold(Image frame, int most) {
  held_.push_back(std::move(frame));
  for (; held_.size() > static_cast<size_t>(most); ++dropped_) held_.pop_front();
}

std::deque<Image> VideoInput::TakeHeld() { return std::exchange(held_, {}); }

int VideoInput::TakeDropped() { return std::exchange(dropped_, 0); }

}  // namespace antiphon
