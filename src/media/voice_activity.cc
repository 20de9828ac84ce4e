#include "media/voice_activity.h"

#include <webrtc/common.h>
#include <webrtc/modules/audio_processing/include/audio_processing.h>
#include <webrtc/modules/interface/module_common_types.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string>
#include <utility>

#include "media/pcm.h"

namespace antiphon {
namespace {

constexpr int kFrameMs = 10;
constexpr int kOnsetWindow = 10;  // frames
// Speech has a gap of a frame at least this often, so the quietest frame of the window is the room. Until the
// window is full the room is unknown and nothing is held against it.
constexpr size_t kFloorWindow = 200;    // frames
constexpr float kSilentDbfs = -120.0f;  // what a level that is no number counts as
constexpr float kAboveFloorDb = 6.0f;   // what stands out of the room

Status CheckRange(const char* name, double value, double low, double high) {
  if (value >= low && value <= high) return OkStatus();
  return InvalidArgument(std::string(name) + " is " + std::to_string(value) + ", must be " +
                         std::to_string(low) + " to " + std::to_string(high));
}

webrtc::VoiceDetection::Likelihood ToWebRtc(VoiceLikelihood likelihood) {
  switch (likelihood) {
    case VoiceLikelihood::kVeryLow:
      return webrtc::VoiceDetection::kVeryLowLikelihood;
    case VoiceLikelihood::kLow:
      return webrtc::VoiceDetection::kLowLikelihood;
    case VoiceLikelihood::kModerate:
      return webrtc::VoiceDetection::kModerateLikelihood;
    case VoiceLikelihood::kHigh:
      break;
  }
  return webrtc::VoiceDetection::kHighLikelihood;
}

// The voice model and nothing else of WebRTC's chain.
std::unique_ptr<webrtc::AudioProcessing> NewModel(VoiceLikelihood likelihood) {
  std::unique_ptr<webrtc::AudioProcessing> model(webrtc::AudioProcessing::Create());
  webrtc::VoiceDetection* voice = model->voice_detection();
  voice->Enable(true);
  voice->set_frame_size_ms(kFrameMs);
  voice->set_likelihood(ToWebRtc(likelihood));
  return model;
}

}  // namespace

Status VoiceActivityDetector::Check(const VoiceActivityOptions& options) {
  for (const Status& status : {CheckRange("onset_ms", options.onset_ms, 10, 100),
                               CheckRange("hangover_ms", options.hangover_ms, 20, 5000),
                               CheckRange("min_level_dbfs", options.min_level_dbfs, -90, 0)}) {
    if (!status.ok()) return status;
  }
  return OkStatus();
}

Result<VoiceActivityDetector> VoiceActivityDetector::Create(const VoiceActivityOptions& options) {
  if (Status status = Check(options); !status.ok()) return status;
  return VoiceActivityDetector(options);
}

VoiceActivityDetector::VoiceActivityDetector(const VoiceActivityOptions& options)
    : options_(options), model_(NewModel(options.likelihood)) {}
VoiceActivityDetector::VoiceActivityDetector(VoiceActivityDetector&&) noexcept = default;
VoiceActivityDetector& VoiceActivityDetector::operator=(VoiceActivityDetector&&) noexcept = default;
VoiceActivityDetector::~VoiceActivityDetector() = default;

void VoiceActivityDetector::Reset() { *this = VoiceActivityDetector(options_); }

Status VoiceActivityDetector::Configure(const VoiceActivityOptions& options) {
  if (Status status = Check(options); !status.ok()) return status;
  // Moves the model's thresholds and leaves what it has learnt of the noise.
  if (options.likelihood != options_.likelihood) {
    model_->voice_detection()->set_likelihood(ToWebRtc(options.likelihood));
  }
  options_ = options;
  return OkStatus();
}

void VoiceActivityDetector::Process(std::span<const float> samples, std::vector<VoiceEvent>* events) {
  pending_.insert(pending_.end(), samples.begin(), samples.end());
  size_t used = 0;
  while (pending_.size() - used >= kFrameSamples) {
    const bool voice = FrameIsVoice(std::span(pending_).subspan(used, kFrameSamples));
    used += kFrameSamples;
    if (const std::optional<VoiceEvent> event = Advance(voice)) events->push_back(*event);
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
}

bool VoiceActivityDetector::FrameIsVoice(std::span<const float> frame) {
  webrtc::AudioFrame audio;
  audio.sample_rate_hz_ = kSampleRate;
  audio.num_channels_ = 1;
  audio.samples_per_channel_ = kFrameSamples;
  for (size_t i = 0; i < frame.size(); ++i) {
    const float sample = std::isnan(frame[i]) ? 0.0f : std::clamp(frame[i], -1.0f, 1.0f);
    audio.data_[i] = static_cast<int16_t>(std::lrint(sample * 32767.0f));
  }
  // The model hears the quiet frames too: it learns the noise from them.
  model_->ProcessStream(&audio);
  const float measured = LevelDbfs(frame);
  const float level = std::isfinite(measured) ? measured : kSilentDbfs;
  const bool stands_out = StandsOut(level);  // every frame counts for the room
  return stands_out && level > options_.min_level_dbfs && model_->voice_detection()->stream_has_voice();
}

// The model alone takes a loud, steady noise for voice for ever.
bool VoiceActivityDetector::StandsOut(float level) {
  if (levels_.size() < kFloorWindow) {
    levels_.push_back(level);
    return true;
  }
  levels_[static_cast<size_t>(frames_) % kFloorWindow] = level;
  return level > *std::min_element(levels_.begin(), levels_.end()) + kAboveFloorDb;
}

std::optional<VoiceEvent> VoiceActivityDetector::Advance(bool voice) {
  ++frames_;
  recent_ = ((recent_ << 1) | (voice ? 1u : 0u)) & ((1u << kOnsetWindow) - 1);
  if (voice && speaking_) last_voice_end_ = frames_ * kFrameSamples;
  if (!speaking_ && std::popcount(recent_) * kFrameMs >= options_.onset_ms) {
    speaking_ = true;
    last_voice_end_ = (frames_ - std::countr_zero(recent_)) * kFrameSamples;
    const int oldest =
        std::bit_width(recent_);  // frames since the first voiced one of the window, itself included
    return VoiceEvent{VoiceEvent::Kind::kStarted, (frames_ - oldest) * kFrameSamples};
  }
  const int64_t silence_ms = (frames_ - last_voice_end_ / kFrameSamples) * kFrameMs;
  if (speaking_ && silence_ms >= options_.hangover_ms) {
    speaking_ = false;
    recent_ = 0;
    return VoiceEvent{VoiceEvent::Kind::kStopped, last_voice_end_};
  }
  return std::nullopt;
}

}  // namespace antiphon
