// The audio codec of a model, streaming: samples in, codes out; codes in, samples out. And its ears, which
// make the codes of what a user says: nobody decodes those, so a model may have an encoder made for
// recognition alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon {

class Safetensors;
struct ModelConfig;

// What a codec remembers of one stream of audio. A value: a copy is a fork that goes on by itself, and its
// fields are all there is to serialise. Only the codec that made it reads or changes it, but for `manner`.
struct AudioCodecState {
  at::Tensor history;  // [n] float32 on the codec's device: the last inputs of every layer; zeros at first
  int64_t frames = 0;  // frames done
  double phase = 0.0;  // of the voice source, in turns, [0, 1)

  AudioCodecState() = default;
  explicit AudioCodecState(at::Tensor zeros) : history(std::move(zeros)) {}
  AudioCodecState(const AudioCodecState& other) { *this = other; }
  AudioCodecState(AudioCodecState&&) noexcept = default;
  AudioCodecState& operator=(const AudioCodecState& other);
  AudioCodecState& operator=(AudioCodecState&&) noexcept = default;
  ~AudioCodecState() = default;

  // As when made: the next frame is the first of a new stream.
  void Reset();
};

// Types of their own, so that one cannot be given for another.
struct AudioHearingState : AudioCodecState {
  using AudioCodecState::AudioCodecState;
};
struct AudioEncoderState : AudioCodecState {
  using AudioCodecState::AudioCodecState;
};
struct AudioDecoderState : AudioCodecState {
  using AudioCodecState::AudioCodecState;

  SpeechManner manner;   // of the next frames; its owner may change it between any two
  int64_t position = 0;  // samples of the voice source made so far
  int64_t last_hop = 0;  // samples that the last hop of the source has; 0: there is none yet

  // As when made, the default manner included.
  void Reset();
};

// Weights only: const after loading and shared by all sessions; calls may run in parallel as long as no state
// is in two of them. A stream's result does not depend on how many streams share a call, up to float rounding
// in Decode (below 1e-5 of full scale).
class AudioCodec {
 public:
  virtual ~AudioCodec() = default;

  // The codec that `config.audio_codec_json` describes, with `weights` from audio_codec.safetensors.
  // DATA_LOSS naming the file (config.path or that of the weights) and the field or tensor that is missing,
  // malformed, out of its limits or in contradiction to the rest.
  static Result<std::unique_ptr<AudioCodec>> Load(const Safetensors& weights, const ModelConfig& config,
                                                  at::Device device);

  virtual AudioHearingState MakeHearingState() const = 0;
  virtual AudioEncoderState MakeEncoderState() const = 0;
  virtual AudioDecoderState MakeDecoderState() const = 0;

  // One frame of each of B streams, for the heard channel. `samples` is [B, frame_samples()] float32 in [-1,
  // 1]; returns codes [B, K] int64. Both on the codec's device. REQUIRES: B = states.size() > 0; the states
  // are distinct and of this codec.
  virtual at::Tensor Hear(std::span<AudioHearingState* const> states, const at::Tensor& samples) const = 0;

  // The same for the spoken channel: codes that Decode understands.
  virtual at::Tensor Encode(std::span<AudioEncoderState* const> states, const at::Tensor& samples) const = 0;

  // One frame of each of B streams, each in its state's manner. `codes` is [B, K] int64, each within its
  // codebook; returns B tensors of SamplesAt(speed, frame_samples()) samples, float32, nominally in [-1, 1],
  // not clipped. At the normal speed they lie decoder_delay_samples() behind the samples that were encoded.
  // When the speed changes, the first frame at the new one still has a last piece of the old one in it and
  // makes up the difference in its length; it begins without a click. REQUIRES: as for Hear; manners are the
  // default one unless has_manners().
  virtual std::vector<at::Tensor> Decode(std::span<AudioDecoderState* const> states,
                                         const at::Tensor& codes) const = 0;

  // It can speak in every SpeechManner. Then 5/4 and 4/5 of a frame are whole numbers of samples: speech
  // never drifts.
  virtual bool has_manners() const { return false; }

  virtual int64_t sample_rate() const = 0;                         // Hz
  virtual int64_t frame_samples() const = 0;                       // samples a frame
  virtual const std::vector<int64_t>& codebook_sizes() const = 0;  // K entries
  // The delay that encoding and decoding add beyond the frame itself.
  virtual int64_t decoder_delay_samples() const = 0;
  virtual uint64_t parameters() const = 0;
};

}  // namespace antiphon
