// A client's video on its way to the model: how many frames may come, and which wait while no turn is open.
#pragma once

#include <deque>
#include <variant>

#include "antiphon/types.h"
#include "common/clock.h"
#include "conversation/client_event.h"
#include "conversation/session_config.h"

namespace antiphon {

// Not thread-safe.
class VideoInput {
 public:
  // Of frames: 5 a second, and as many at once after a second without any. A client's clock may run 2 %
  // faster than ours.
  static constexpr Nanoseconds kPeriod = std::chrono::milliseconds(196);
  static constexpr int kBurst = 5;

  // `image_side`: of the model's pictures, in pixels; 0 when it knows none.
  explicit VideoInput(int image_side) : image_side_(image_side) {}

  // The frame, fitted into the model's square, or the mistake in it: UNIMPLEMENTED, RESOURCE_EXHAUSTED when
  // it comes too soon, or what DecodeVideoFrame says. One with a mistake counts for the rate as well.
  std::variant<Image, Refusal> Decode(const client_event::VideoFrame& frame, TimePoint received);

  // Keeps a frame for when a turn opens; of those kept the newest `most` stay.
  void Hold(Image frame, int most);
  // Those kept, oldest first; none are after this.
  std::deque<Image> TakeHeld();

  // Counts a frame that the model has refused.
  void Refused() { ++dropped_; }
  // Frames that were taken and will not be shown, since the last call.
  int TakeDropped();

 private:
  bool InTime(TimePoint received);

  const int image_side_;
  TimePoint next_due_{};  // of frames that come in even time
  std::deque<Image> held_;
  int dropped_ = 0;
};

}  // namespace antiphon
