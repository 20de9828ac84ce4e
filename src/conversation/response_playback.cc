#include "conversation/response_playback.h"

#include <chrono>
#include <cmath>
#include <utility>

namespace antiphon {

ResponsePlayback::ResponsePlayback(std::string response_id, const SessionConfig& config,
                                   const ModelDescription& model, TimePoint not_before)
    : response_id_(std::move(response_id)),
      rate_(config.output.sample_rate),
      frame_samples_(static_cast<double>(SamplesAt(config.manner.speed, model.frame_samples)) *
                     config.output.sample_rate / model.sample_rate),
      interruptible_(config.speak && config.interruption.policy != InterruptionPolicy::kOff),
      meter_(config.output.sample_rate, std::chrono::milliseconds(config.playback_delay_ms), not_before) {}

Nanoseconds ResponsePlayback::TimeLeft(TimePoint now) const {
  if (!AudibleAt(now)) return Nanoseconds{0};
  return DurationOf(meter_.sent() - meter_.Played(now), rate_);
}

std::optional<Nanoseconds> ResponsePlayback::PositionAt(TimePoint then, TimePoint now) const {
  if (cut_ || meter_.paused() || meter_.sent() == 0) return std::nullopt;
  return then - meter_.BeganAt(now);
}

int ResponsePlayback::FramesPlayed(TimePoint now) const {
  return static_cast<int>(static_cast<double>(meter_.Played(now)) / frame_samples_ + 1e-6);
}

int ResponsePlayback::FramesMissing(TimePoint now, std::chrono::milliseconds max_lead,
                                    uint64_t waiting) const {
  const double lead = static_cast<double>(max_lead.count()) * rate_ / 1000;
  const double needed = static_cast<double>(meter_.Played(now)) + lead + kFramesInHand * frame_samples_;
  const double missing = needed - static_cast<double>(meter_.sent() + waiting);
  return missing > 0 ? static_cast<int>(std::ceil(missing / frame_samples_)) : 0;
}

void ResponsePlayback::Cut(TimePoint now) {
  cut_ = true;
  cut_at_ = meter_.Played(now);
}

}  // namespace antiphon
