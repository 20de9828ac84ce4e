#include "conversation/response_playback.h"

#include <chrono>
#include <cmath>
#include <utility>

namespace antiphon {

ResponsePlayback::ResponsePlayback(std::string response_id, const SessionConfig& config,
                                   const ModelDescription& model, Nanoseconds behind)
    : response_id_(std::move(response_id)),
      sample_rate_(config.output.sample_rate),
      frame_samples_(static_cast<double>(SamplesAt(config.manner.speed, model.frame_samples)) *
                     config.output.sample_rate / model.sample_rate),
      rate_(config.output.sample_rate),
      interruptible_(config.speak && config.interruption.policy != InterruptionPolicy::kOff),
      meter_(config.output.sample_rate, behind + std::chrono::milliseconds(config.playback_delay_ms)) {}

Nanoseconds ResponsePlayback::TimeLeft(TimePoint now) const {
  if (!AudibleAt(now)) return Nanoseconds{0};
  return Nanoseconds(1'000'000'000 * static_cast<int64_t>(meter_.sent() - meter_.Played(now)) / rate_);
}

int ResponsePlayback::FramesPlayed(TimePoint now) const {
  return static_cast<int>(static_cast<double>(meter_.Played(now)) / frame_samples_ + 1e-6);
}

int ResponsePlayback::FramesMissing(TimePoint now, std::chrono::milliseconds max_lead,
                                    uint64_t waiting) const {
  const double lead = static_cast<double>(max_lead.count()) * sample_rate_ / 1000;
  const double needed = static_cast<double>(meter_.Played(now)) + lead + kFramesInHand * frame_samples_;
  const double missing = needed - static_cast<double>(meter_.sent() + waiting);
  return missing > 0 ? static_cast<int>(std::ceil(missing / frame_samples_)) : 0;
}

void ResponsePlayback::Cut(TimePoint now) {
  cut_ = true;
  cut_at_ = meter_.Played(now);
}

}  // namespace antiphon
