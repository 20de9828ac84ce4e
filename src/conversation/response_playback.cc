#include "conversation/response_playback.h"

#include <chrono>
#include <utility>

namespace antiphon {

ResponsePlayback::ResponsePlayback(std::string response_id, const SessionConfig& config,
                                   const ModelDescription& model)
    : response_id_(std::move(response_id)),
      frame_samples_(static_cast<double>(SamplesAt(config.manner.speed, model.frame_samples)) *
                     config.output.sample_rate / model.sample_rate),
      interruptible_(config.speak && config.interruption.policy != InterruptionPolicy::kOff),
      meter_(config.output.sample_rate, std::chrono::milliseconds(config.playback_delay_ms)) {}

int ResponsePlayback::FramesPlayed(TimePoint now) const {
  return static_cast<int>(static_cast<double>(meter_.Played(now)) / frame_samples_ + 1e-6);
}

void ResponsePlayback::Cut(TimePoint now) {
  cut_ = true;
  cut_at_ = meter_.Played(now);
}

}  // namespace antiphon
