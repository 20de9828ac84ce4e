// The small transformer over the K codebooks of one spoken frame, conditioned on the backbone's state.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/language_model.h"
#include "model/model_config.h"
#include "model/transformer_block.h"
#include "model/weight_reader.h"

namespace antiphon {

// Weights only, const after construction; safe from several threads at once.
class DepthDecoder {
 public:
  // Failures stay with the reader; a decoder read with one must not be run.
  DepthDecoder(const ModelConfig& config, at::Device device, WeightReader* reader);

  // Contract of LanguageModel::DrawFrames.
  at::Tensor DrawFrames(const at::Tensor& states, const LanguageModel::DrawCode& draw) const;

 private:
  const TransformerShape shape_;
  const int64_t end_of_audio_;
  const at::Device device_;
  std::vector<WeightMatrix> input_;  // [K] of [width, width of the backbone]
  std::vector<at::Tensor> embed_;    // [K - 1] of [size of the codebook, width]
  at::Tensor position_;              // [K, width]
  std::vector<BlockWeights> layers_;
  at::Tensor norm_;                 // [width]
  std::vector<WeightMatrix> head_;  // [K] of [size of the codebook (+ 1 for the first), width]
};

}  // namespace antiphon
