// A language model and a codec without weights, for the tests of what runs them.
//
// They keep no state of their own: all that FakeModel knows of a sequence it reads from the KV pages, and all
// that FakeCodec knows of a stream from its state. So an engine that mixes pages up, forgets a copy or
// restores too little gets other answers.
#pragma once

#include <ATen/ops/zeros.h>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "model/audio_codec.h"
#include "model/image_codec.h"
#include "model/language_model.h"

namespace antiphon {

// How the fake behaves:
//   a heard frame of code 0   is silence: writes `<pad>`
//   a heard frame of code 1   ends the turn: writes `<assistant>`
//   a heard frame of code c   is a word: writes the text piece HeardPiece(c)
//   an answer                 has `answer_pieces` pieces, then `answer_images` pictures if it may, and
//                             `answer_frames` frames, which depend on everything the sequence has read, in
//                             order
class FakeModel final : public LanguageModel {
 public:
  explicit FakeModel(ModelConfig config) : config_(std::move(config)) {}

  static constexpr int64_t kFirstPiece = 6;
  int64_t HeardPiece(int64_t code) const;

  int64_t answer_pieces = 3;
  std::vector<int64_t> answer_text;  // these pieces, if they are that many; else some of its own
  int64_t answer_frames = 4;
  int64_t answer_images = 0;
  std::vector<int64_t> answer_manner;  // symbols behind all these
  int64_t frames_per_word = 0;         // of an answer; 0: does not tell
  // Called with every batch before it runs: may throw, block, or move a clock.
  std::function<void(const RaggedBatch&)> on_forward;
  // Called before a gap is closed: may throw.
  std::function<void(const SequenceGap&)> on_close_gap;

  KvPool MakePool(int64_t pages, int64_t page_positions, KvFormat format) const override;
  at::Tensor Forward(const RaggedBatch& batch, KvPool& pool) const override;
  void CloseGap(const SequenceGap& gap, KvPool& pool) const override;
  at::Tensor SymbolLogits(const at::Tensor& states) const override;
  at::Tensor DrawFrames(const at::Tensor& states, const DrawCode& draw) const override;
  std::vector<std::vector<float>> WordScores(const at::Tensor& states,
                                             std::span<const std::span<const int64_t>> words) const override;
  const ModelConfig& config() const override { return config_; }
  uint64_t parameters() const override { return 0; }

 private:
  int64_t WantedInAnswer(int64_t place, int64_t seed) const;

  const ModelConfig config_;
};

// A frame's codes depend on its first sample (Sound) and on all frames of the stream before it; so does
// decoded sound, whose length is its manner's and whose last sample tells the voice.
class FakeCodec final : public AudioCodec {
 public:
  explicit FakeCodec(const ModelConfig& config)
      : sample_rate_(config.sample_rate),
        frame_samples_(config.frame_samples),
        codebook_sizes_(config.codebook_sizes) {}

  bool manners = true;

  // A frame that is encoded with code 0 = `code`.
  std::vector<float> Sound(int64_t code) const;

  AudioHearingState MakeHearingState() const override { return AudioHearingState(at::zeros({1})); }
  // The engine encodes nothing for the spoken channel.
  AudioEncoderState MakeEncoderState() const override { return {}; }
  AudioDecoderState MakeDecoderState() const override { return AudioDecoderState(at::zeros({1})); }
  at::Tensor Hear(std::span<AudioHearingState* const> states, const at::Tensor& samples) const override;
  at::Tensor Encode(std::span<AudioEncoderState* const>, const at::Tensor&) const override { return {}; }
  std::vector<at::Tensor> Decode(std::span<AudioDecoderState* const> states,
                                 const at::Tensor& codes) const override;
  bool has_manners() const override { return manners; }
  int64_t sample_rate() const override { return sample_rate_; }
  int64_t frame_samples() const override { return frame_samples_; }
  const std::vector<int64_t>& codebook_sizes() const override { return codebook_sizes_; }
  int64_t decoder_delay_samples() const override { return 0; }
  uint64_t parameters() const override { return 0; }

 private:
  const int64_t sample_rate_;
  const int64_t frame_samples_;
  const std::vector<int64_t> codebook_sizes_;
};

// The code of a cell is the red of its first pixel, up to the codebook's size; a decoded cell has its code as
// all its bytes, a missing one 255. Both throw std::runtime_error when `broken`.
class FakeImageCodec final : public ImageCodec {
 public:
  explicit FakeImageCodec(const ImageShape& shape) : shape_(shape) {}

  bool broken = false;

  Result<std::vector<int>> Encode(const Image& picture) const override;
  Result<Image> Decode(std::span<const int> codes) const override;
  int64_t side() const override { return shape_.side; }
  int64_t grid() const override { return shape_.grid; }
  int64_t codebook_size() const override { return shape_.codebook_size; }
  uint64_t parameters() const override { return 0; }

 private:
  const ImageShape shape_;
};

}  // namespace antiphon
