// The decoder-only transformer over the positions of a sequence.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kernels/sequence_gap.h"
#include "model/model_config.h"
#include "model/ragged_batch.h"
#include "model/transformer_block.h"
#include "model/weight_reader.h"

namespace antiphon {

// Weights only, const after construction; safe from several threads at once as long as they use different
// pages.
class Backbone {
 public:
  // Failures stay with the reader; a backbone read with one must not be run.
  Backbone(const ModelConfig& config, at::Device device, WeightReader* reader);

  // Contract of LanguageModel::Forward.
  at::Tensor Forward(const RaggedBatch& batch, KvPool* pool) const;
  // Contract of LanguageModel::CloseGap.
  void CloseGap(const SequenceGap& gap, KvPool* pool) const;
  // Contract of LanguageModel::SymbolLogits.
  at::Tensor SymbolLogits(const at::Tensor& states) const;

  KvPool MakePool(int64_t pages, int64_t page_positions, KvFormat format) const;

 private:
  at::Tensor Embed(const RaggedBatch& batch) const;

  const TransformerShape shape_;
  const int64_t max_positions_;
  const at::Device device_;
  at::Tensor symbol_embedding_;                                 // [vocab_size, width]
  std::vector<at::Tensor> heard_embedding_, spoken_embedding_;  // [K] of [size of the codebook, width]
  std::vector<BlockWeights> layers_;
  at::Tensor norm_;    // [width]
  WeightMatrix head_;  // [vocab_size, width]
  RotaryTable rotary_;
};

}  // namespace antiphon
