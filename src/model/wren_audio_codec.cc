#include "model/wren_audio_codec.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include "model/codec_parameters.h"
#include "model/model_config.h"

namespace antiphon {
namespace {

// The histories of a batch as one tensor [B, n]. Layers change it in place; a single stream's is changed
// directly, those of several are copied back when this goes out of scope.
template <typename State>
class JoinedHistories {
 public:
  explicit JoinedHistories(std::span<State* const> states) : states_(states) {
    if (states.size() == 1) {
      joined_ = states[0]->history.unsqueeze(0);
      return;
    }
    std::vector<at::Tensor> rows;
    rows.reserve(states.size());
    for (const State* state : states) rows.push_back(state->history);
    joined_ = at::stack(rows);
  }
  void CopyBack() const {
    if (states_.size() == 1) return;
    for (size_t b = 0; b < states_.size(); ++b) states_[b]->history.copy_(joined_[static_cast<int64_t>(b)]);
  }
  const at::Tensor& tensor() const { return joined_; }

 private:
  const std::span<State* const> states_;
  at::Tensor joined_;
};

// One frame of each stream through one of the encoders.
template <typename State>
at::Tensor Forward(const WrenEncoder& encoder, std::span<State* const> states, const at::Tensor& samples) {
  const c10::InferenceMode inference;
  const JoinedHistories joined(states);
  at::Tensor codes = encoder.Forward(samples, joined.tensor());
  joined.CopyBack();
  for (State* state : states) ++state->frames;
  return codes;
}

at::Tensor Zeros(const HistoryLayout& layout, at::Device device) {
  return at::zeros({layout.size()}, at::TensorOptions().dtype(at::kFloat).device(device));
}

}  // namespace

WrenAudioCodec::WrenAudioCodec(const ModelConfig& config, CodecParameters* parameters)
    : device_(parameters->device()),
      sample_rate_(config.sample_rate),
      frame_samples_(config.frame_samples),
      codebook_sizes_(config.codebook_sizes),
      slope_(parameters->Number("slope", 0.0, 1.0)),
      decoder_delay_(parameters->Integer("decoder_delay_samples", 0, 1 << 20)),
      hearing_("hearing", frame_samples_, codebook_sizes_, slope_, parameters, &hearing_layout_),
      encoder_("encoder", frame_samples_, codebook_sizes_, slope_, parameters, &encoder_layout_),
      decoder_(frame_samples_, slope_, parameters, &decoder_layout_),
      parameters_(parameters->parameters()) {
  parameters->Require(parameters->Integer("sample_rate", 1, 1 << 20) == sample_rate_,
                      "sample_rate differs from audio.sample_rate");
  parameters->Require(decoder_.inputs() == encoder_.quantizer().width(),
                      "decoder.net must read vector_size values");
}

Result<std::unique_ptr<AudioCodec>> WrenAudioCodec::Load(const Safetensors& weights,
                                                         const ModelConfig& config, at::Device device) {
  const nlohmann::json section = nlohmann::json::parse(config.audio_codec_json, nullptr, false);
  if (!section.is_object()) return DataLoss(config.path + ": audio_codec is missing");
  if (config.codebook_sizes.empty()) return DataLoss(config.path + ": audio.codebook_sizes is empty");
  const at::NoGradGuard no_grad;
  CodecParameters parameters(section, "audio_codec", config.path, weights, device);
  std::unique_ptr<AudioCodec> codec(new WrenAudioCodec(config, &parameters));
  if (!parameters.ok()) return parameters.status();
  return codec;
}

AudioHearingState WrenAudioCodec::MakeHearingState() const {
  return AudioHearingState(Zeros(hearing_layout_, device_));
}

AudioEncoderState WrenAudioCodec::MakeEncoderState() const {
  return AudioEncoderState(Zeros(encoder_layout_, device_));
}

AudioDecoderState WrenAudioCodec::MakeDecoderState() const {
  return AudioDecoderState(Zeros(decoder_layout_, device_));
}

at::Tensor WrenAudioCodec::Hear(std::span<AudioHearingState* const> states, const at::Tensor& samples) const {
  return Forward(hearing_, states, samples);
}

at::Tensor WrenAudioCodec::Encode(std::span<AudioEncoderState* const> states,
                                  const at::Tensor& samples) const {
  return Forward(encoder_, states, samples);
}

std::vector<at::Tensor> WrenAudioCodec::Decode(std::span<AudioDecoderState* const> states,
                                               const at::Tensor& codes) const {
  const c10::InferenceMode inference;
  const JoinedHistories joined(states);
  const at::Tensor vectors = encoder_.quantizer().Decode(codes).unsqueeze(1);
  std::vector<at::Tensor> samples = decoder_.Forward(vectors, states, joined.tensor());
  joined.CopyBack();
  for (AudioDecoderState* state : states) ++state->frames;
  return samples;
}

}  // namespace antiphon
