#include "conversation/frame_gate.h"

#include <algorithm>
#include <utility>

namespace antiphon {

FrameGate::FrameGate(int frame_samples, int ring_frames)
    : frame_samples_(static_cast<size_t>(frame_samples)), ring_frames_(static_cast<size_t>(ring_frames)) {
  partial_.samples.reserve(frame_samples_);
}

std::vector<GatedFrame> FrameGate::Push(std::span<const float> samples, TimePoint received) {
  std::vector<GatedFrame> passed;
  while (!samples.empty()) {
    const size_t taken = std::min(samples.size(), frame_samples_ - partial_.samples.size());
    partial_.samples.insert(partial_.samples.end(), samples.begin(), samples.begin() + taken);
    partial_.received = received;
    samples = samples.subspan(taken);
    if (partial_.samples.size() < frame_samples_) break;

    const uint64_t next = partial_.first_sample + frame_samples_;
    if (open_) {
      passed.push_back(std::move(partial_));
    } else {
      if (ring_.size() == ring_frames_) ring_.pop_front();
      ring_.push_back(std::move(partial_));
    }
    partial_ = {};
    partial_.first_sample = next;
  }
  return passed;
}

std::vector<GatedFrame> FrameGate::Open(uint64_t sample) {
  open_ = true;
  std::vector<GatedFrame> passed;
  for (GatedFrame& frame : ring_) {
    if (frame.first_sample + frame_samples_ > sample) passed.push_back(std::move(frame));
  }
  ring_.clear();
  return passed;
}

std::optional<GatedFrame> FrameGate::Flush() {
  if (!open_ || partial_.samples.empty()) return std::nullopt;
  partial_.samples.resize(frame_samples_, 0.0f);
  GatedFrame frame = std::exchange(partial_, {});
  partial_.first_sample = frame.first_sample + frame_samples_;
  return frame;
}

void FrameGate::Reset(uint64_t first_sample) {
  open_ = false;
  ring_.clear();
  partial_ = {};
  partial_.first_sample = first_sample;
}

}  // namespace antiphon
