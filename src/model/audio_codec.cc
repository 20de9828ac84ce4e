#include "model/audio_codec.h"

#include <ATen/ops/zeros_like.h>

#include "model/wren_audio_codec.h"

namespace antiphon {

AudioCodecState& AudioCodecState::operator=(const AudioCodecState& other) {
  if (this == &other) return *this;
  history = other.history.defined() ? other.history.clone() : at::Tensor();
  frames = other.frames;
  phase = other.phase;
  return *this;
}

void AudioCodecState::Reset() {
  if (history.defined()) history = at::zeros_like(history);
  frames = 0;
  phase = 0.0;
}

void AudioDecoderState::Reset() {
  AudioCodecState::Reset();
  manner = {};
  position = 0;
  last_hop = 0;
}

Result<std::unique_ptr<AudioCodec>> AudioCodec::Load(const Safetensors& weights, const ModelConfig& config,
                                                     at::Device device) {
  return WrenAudioCodec::Load(weights, config, device);
}

}  // namespace antiphon
