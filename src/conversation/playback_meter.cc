#include "conversation/playback_meter.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace antiphon {

void PlaybackMeter::Restore(TimePoint now, const State& state) {
  paused_ = false;
  sent_ = state.sent;
  reported_ = std::min(state.reported, state.sent);
  anchor_time_ = now;
  anchor_position_ = std::min(state.played, state.sent);
  measured_ = state.measured;
  least_margin_ = state.least_margin;
  underruns_ = state.underruns;
}

uint64_t PlaybackMeter::Played(TimePoint now) const {
  if (paused_) return anchor_position_;
  const double elapsed = std::chrono::duration<double>(now - anchor_time_).count();
  const double played = static_cast<double>(anchor_position_) + std::max(elapsed, 0.0) * rate_;
  return played < static_cast<double>(sent_) ? static_cast<uint64_t>(played) : sent_;
}

TimePoint PlaybackMeter::PlayedAt(uint64_t position) const {
  if (position == 0) return {};
  if (paused_ || position > sent_) return TimePoint::max();
  if (position == anchor_position_) return anchor_time_;
  const double left = static_cast<double>(position) - static_cast<double>(anchor_position_);
  // Played rounds down: a little later it is certain.
  constexpr Nanoseconds kCertain{1000};
  return anchor_time_ + Nanoseconds(static_cast<int64_t>(std::ceil(left * 1e9 / rate_))) + kCertain;
}

TimePoint PlaybackMeter::BeganAt(TimePoint now) const {
  const TimePoint there = paused_ ? now : std::max(now, anchor_time_);
  return there - Nanoseconds(static_cast<int64_t>(static_cast<double>(Played(there)) * 1e9 / rate_));
}

void PlaybackMeter::OnSend(TimePoint now, uint64_t samples) {
  if (sent_ == 0) {
    anchor_time_ = std::max(now + delay_, not_before_);
    delay_left_ = anchor_time_ - now;
  } else if (!paused_) {
    const uint64_t margin = sent_ - Played(now);
    least_margin_ = measured_ ? std::min(least_margin_, margin) : margin;
    measured_ = true;
    if (margin == 0) {
      ++underruns_;
      anchor_time_ = now;
      anchor_position_ = sent_;
    }
  }
  sent_ += samples;
}

void PlaybackMeter::OnReport(TimePoint now, uint64_t played) {
  reported_ = std::clamp(played, reported_, std::max(reported_, sent_));
  anchor_time_ = now;
  anchor_position_ = reported_;
  delay_left_ = Nanoseconds{0};
}

void PlaybackMeter::Pause(TimePoint now) {
  if (paused_) return;
  anchor_position_ = Played(now);
  delay_left_ = std::max(anchor_time_ - now, Nanoseconds{0});
  paused_ = true;
}

void PlaybackMeter::Resume(TimePoint now) {
  if (!paused_) return;
  paused_ = false;
  anchor_time_ = now + delay_left_;
}

int PlaybackMeter::least_margin_ms() const {
  return static_cast<int>(least_margin_ * 1000 / static_cast<uint64_t>(rate_));
}

}  // namespace antiphon
