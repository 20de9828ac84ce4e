#include "conversation/echo_reference.h"

#include <algorithm>
#include <cstdlib>

namespace antiphon {

void EchoReference::Begin(bool behind, int64_t made) {
  const int64_t end = first_ + static_cast<int64_t>(speech_.size());
  begin_ = end - (behind ? 0 : made);
  if (behind) return;
  speech_.clear();
  first_ = end;
  next_ = end;
  playing_ = false;
}

void EchoReference::Add(std::span<const float> speech) {
  speech_.insert(speech_.end(), speech.begin(), speech.end());
  Forget(static_cast<int64_t>(speech_.size()) - most_);
}

void EchoReference::Skip(int64_t samples) {
  Forget(static_cast<int64_t>(speech_.size()));
  first_ += samples;
}

void EchoReference::Forget(int64_t samples) {
  const int64_t count = std::clamp<int64_t>(samples, 0, static_cast<int64_t>(speech_.size()));
  speech_.erase(speech_.begin(), speech_.begin() + count);
  first_ += count;
}

void EchoReference::Follow(std::optional<int64_t> position) {
  if (!position) {
    // The rest of the response before plays on while nothing is known of the next one.
    playing_ = playing_ && next_ < begin_;
    return;
  }
  const int64_t wanted = begin_ + *position;
  if (!playing_) {
    playing_ = true;
    next_ = wanted;
  }
  if (std::abs(wanted - next_) <= tolerance_) {
    apart_ = 0;
  } else if (apart_ > patience_) {
    next_ = wanted;
    apart_ = 0;
  }
}

void EchoReference::Read(std::span<float> samples) {
  std::ranges::fill(samples, 0.0f);
  if (!playing_) return;
  const auto count = static_cast<int64_t>(samples.size());
  const int64_t from = std::max(next_, first_);
  const int64_t to = std::min(next_ + count, first_ + static_cast<int64_t>(speech_.size()));
  for (int64_t i = from; i < to; ++i) {
    samples[static_cast<size_t>(i - next_)] = speech_[static_cast<size_t>(i - first_)];
  }
  next_ += count;
  apart_ += count;
  Forget(next_ - tolerance_ - first_);
}

}  // namespace antiphon
