#include "client/loudspeaker.h"

#include <algorithm>
#include <cmath>

namespace antiphon::client {

TimePoint Loudspeaker::DueTime(uint64_t sample) const {
  return start_ +
         std::chrono::nanoseconds(static_cast<int64_t>(1e9 * static_cast<double>(sample) / sample_rate_));
}

void Loudspeaker::Receive(TimePoint received, std::span<const float> samples) {
  if (samples.empty()) return;
  const TimePoint now = paused_.value_or(received);  // by its own clock
  if (!first_packet_) {
    first_packet_ = received;
    start_ = now + delay_;
  } else {
    const double margin_ms = std::chrono::duration<double, std::milli>(DueTime(samples_) - now).count();
    const double left_ms = std::max(margin_ms, 0.0);
    if (!begins_) least_margin_ms_ = std::min(left_ms, least_margin_ms_.value_or(left_ms));
    if (margin_ms < 0) {
      underruns_ += begins_ ? 0 : 1;
      start_ += now - DueTime(samples_);
    }
  }
  begins_ = false;
  if (!first_audible_received_) {
    const auto audible = std::ranges::find_if(samples, [](float x) { return std::abs(x) >= kAudible; });
    if (audible != samples.end()) {
      first_audible_received_ = received;
      first_audible_played_ = DueTime(samples_ + static_cast<uint64_t>(audible - samples.begin()));
    }
  }
  samples_ += samples.size();
}

void Loudspeaker::Pause(TimePoint now) {
  if (!paused_) paused_ = now;
}

void Loudspeaker::Resume(TimePoint now) {
  if (paused_) start_ += now - *paused_;
  paused_.reset();
}

uint64_t Loudspeaker::PlayedSamples(TimePoint now) const {
  now = std::min(now, paused_.value_or(now));
  if (!first_packet_ || now <= start_) return 0;
  const double played = std::chrono::duration<double>(now - start_).count() * sample_rate_;
  const uint64_t all = std::min(samples_, static_cast<uint64_t>(played));
  return all - std::min(all, first_sample_);
}

void Loudspeaker::BeginNext() {
  first_sample_ = samples_;
  begins_ = true;
}

}  // namespace antiphon::client
