// Wren's audio codec: two encoders, for what is heard and for its own voice, and a source-filter decoder.
#pragma once

#include <memory>
#include <vector>

#include "model/audio_codec.h"
#include "model/source_filter_decoder.h"
#include "model/wren_encoder.h"

namespace antiphon {

// docs/audio_codec.md describes it and the file it is loaded from.
class WrenAudioCodec final : public AudioCodec {
 public:
  static Result<std::unique_ptr<AudioCodec>> Load(const Safetensors& weights, const ModelConfig& config,
                                                  at::Device device);

  AudioHearingState MakeHearingState() const override;
  AudioEncoderState MakeEncoderState() const override;
  AudioDecoderState MakeDecoderState() const override;
  at::Tensor Hear(std::span<AudioHearingState* const> states, const at::Tensor& samples) const override;
  at::Tensor Encode(std::span<AudioEncoderState* const> states, const at::Tensor& samples) const override;
  std::vector<at::Tensor> Decode(std::span<AudioDecoderState* const> states,
                                 const at::Tensor& codes) const override;
  bool has_manners() const override { return decoder_.has_manners(); }

  int64_t sample_rate() const override { return sample_rate_; }
  int64_t frame_samples() const override { return frame_samples_; }
  const std::vector<int64_t>& codebook_sizes() const override { return codebook_sizes_; }
  int64_t decoder_delay_samples() const override { return decoder_delay_; }
  uint64_t parameters() const override { return parameters_; }

 private:
  WrenAudioCodec(const ModelConfig& config, CodecParameters* parameters);

  const at::Device device_;
  const int64_t sample_rate_;
  const int64_t frame_samples_;
  const std::vector<int64_t> codebook_sizes_;
  HistoryLayout hearing_layout_, encoder_layout_, decoder_layout_;  // filled by the members below
  const double slope_;                                              // of the leaky ReLU
  const int64_t decoder_delay_;
  const WrenEncoder hearing_, encoder_;
  const SourceFilterDecoder decoder_;
  const uint64_t parameters_;
};

}  // namespace antiphon
