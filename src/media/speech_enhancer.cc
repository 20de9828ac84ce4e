#include "media/speech_enhancer.h"

#include <webrtc/common.h>
#include <webrtc/modules/audio_processing/include/audio_processing.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

namespace antiphon {
namespace {

using Block = std::array<float, SpeechEnhancer::kBlockSamples>;

webrtc::NoiseSuppression::Level LevelOf(NoiseSuppression suppression) {
  switch (suppression) {
    case NoiseSuppression::kOff:
    case NoiseSuppression::kLow:
      return webrtc::NoiseSuppression::kLow;
    case NoiseSuppression::kModerate:
      return webrtc::NoiseSuppression::kModerate;
    case NoiseSuppression::kHigh:
      break;
  }
  return webrtc::NoiseSuppression::kHigh;
}

Block Clipped(std::span<const float> samples) {
  assert(samples.size() == SpeechEnhancer::kBlockSamples);
  Block block;
  std::ranges::transform(samples, block.begin(), [](float sample) {
    return std::isnan(sample) ? 0.0f : std::clamp(sample, -1.0f, 1.0f);
  });
  return block;
}

}  // namespace

SpeechEnhancer::SpeechEnhancer(const SpeechEnhancement& wanted) {
  webrtc::Config config;
  // The delay between the two signals is that of a network and two sound devices: nobody can tell it.
  config.Set<webrtc::DelayAgnostic>(new webrtc::DelayAgnostic(true));
  config.Set<webrtc::ExtendedFilter>(new webrtc::ExtendedFilter(true));
  processing_.reset(webrtc::AudioProcessing::Create(config));
  processing_->high_pass_filter()->Enable(true);
  Configure(wanted);
}

SpeechEnhancer::SpeechEnhancer(SpeechEnhancer&&) noexcept = default;
SpeechEnhancer& SpeechEnhancer::operator=(SpeechEnhancer&&) noexcept = default;
SpeechEnhancer::~SpeechEnhancer() = default;

// Of the Debian library, measured by its test.
int SpeechEnhancer::delay_samples() const {
  return (wanted_.echo_cancellation ? 112 : 0) +
         (wanted_.noise_suppression != NoiseSuppression::kOff ? 96 : 0);
}

void SpeechEnhancer::Configure(const SpeechEnhancement& wanted) {
  wanted_ = wanted;
  processing_->noise_suppression()->set_level(LevelOf(wanted.noise_suppression));
  processing_->noise_suppression()->Enable(wanted.noise_suppression != NoiseSuppression::kOff);
  processing_->echo_cancellation()->set_suppression_level(webrtc::EchoCancellation::kHighSuppression);
  processing_->echo_cancellation()->Enable(wanted.echo_cancellation);
}

void SpeechEnhancer::Process(std::span<const float> loudspeaker, std::span<float> block) {
  const webrtc::StreamConfig mono(kSampleRate, 1);
  if (wanted_.echo_cancellation) {
    Block played = Clipped(loudspeaker);
    float* const channel = played.data();
    processing_->ProcessReverseStream(&channel, mono, mono, &channel);
    processing_->set_stream_delay_ms(0);
  }
  Block picked_up = Clipped(block);
  float* const channel = picked_up.data();
  processing_->ProcessStream(&channel, mono, mono, &channel);
  std::ranges::copy(picked_up, block.begin());
}

}  // namespace antiphon
