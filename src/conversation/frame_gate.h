// Cuts the user's audio into the model's frames and decides which of them the model hears.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "antiphon/types.h"

namespace antiphon {

struct GatedFrame {
  std::vector<float> samples;
  uint64_t first_sample = 0;  // counted from the start of the stream
  TimePoint received;         // when its last sample arrived
};

// While closed, frames go round a ring and are forgotten; opening it releases those from a given sample on,
// and every later frame then passes. So silence between turns never enters the model's context, and the start
// of a word, which is heard before it is recognised as a voice, is not lost. Frames lie on one grid from the
// start of the stream. Not thread-safe.
class FrameGate {
 public:
  // `ring_frames`: how many whole frames are kept while closed.
  FrameGate(int frame_samples, int ring_frames);

  // Takes more of the stream, and returns the frames that pass.
  std::vector<GatedFrame> Push(std::span<const float> samples, TimePoint received);

  // Lets pass what is in the ring from the frame that holds `sample` on, and all that follows.
  std::vector<GatedFrame> Open(uint64_t sample);

  // The frame begun, completed with silence; nullopt when none is begun or the gate is closed. The grid goes
  // on as if the silence had been input.
  std::optional<GatedFrame> Flush();

  // Forgets everything; the next sample pushed is number `first_sample` and begins a frame.
  void Reset(uint64_t first_sample);

  // The first sample that it still has, or the next one.
  uint64_t first_kept() const { return ring_.empty() ? partial_.first_sample : ring_.front().first_sample; }

  bool is_open() const { return open_; }

 private:
  const size_t frame_samples_;
  const size_t ring_frames_;
  bool open_ = false;
  GatedFrame partial_;
  std::deque<GatedFrame> ring_;
};

}  // namespace antiphon
