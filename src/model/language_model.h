// The transformer of design.md section 3: a backbone over positions and a depth decoder over the codebooks of
// a frame.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "antiphon/kv_format.h"
#include "antiphon/status.h"
#include "antiphon/weight_format.h"
#include "kernels/sequence_gap.h"
#include "model/model_config.h"
#include "model/ragged_batch.h"

namespace antiphon {

class Safetensors;

// Weights only: const after loading, shared by all sequences; caches and states are passed in. Calls on one
// instance may run in parallel as long as they touch different pages.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  // DATA_LOSS naming the tensor when one is missing, has the wrong shape or holds what it may not.
  static Result<std::unique_ptr<LanguageModel>> Load(const Safetensors& weights, const ModelConfig& config,
                                                     at::Device device,
                                                     WeightFormat format = WeightFormat::kAsStored);

  // A pool of `pages` pages of `page_positions` positions that fits this model, in the given form. All that
  // works with pools takes any form.
  virtual KvPool MakePool(int64_t pages, int64_t page_positions,
                          KvFormat format = KvFormat::kFloat32) const = 0;

  // Runs all rows, writes their keys and values into the pool, returns the output states [rows, width].
  virtual at::Tensor Forward(const RaggedBatch& batch, KvPool& pool) const = 0;

  // Takes positions out of a sequence that is in the pool: the rows behind the gap move up in all layers, and
  // their keys are turned back to the positions they now stand at. What they had made of the positions that
  // left stays in them: only the first layer is as if those had never been. REQUIRES: gap.rows <
  // max_positions. When it throws, all from gap.first on is to be taken for lost.
  virtual void CloseGap(const SequenceGap& gap, KvPool& pool) const = 0;

  // Logits over the vocabulary for states [n, width]: [n, vocab_size].
  virtual at::Tensor SymbolLogits(const at::Tensor& states) const = 0;

  // Draws one spoken frame for each of n states [n, width]. `draw(row, codebook, logits)` picks the code from
  // float logits [size] (codebook 0 has one more entry, the end of audio). Once codebook 0 of a row is the
  // end of audio the row's other codes are 0 and not drawn. Returns [n, K] int64 on the CPU.
  using DrawCode = std::function<int64_t(int64_t row, int64_t codebook, const at::Tensor& logits)>;
  virtual at::Tensor DrawFrames(const at::Tensor& states, const DrawCode& draw) const = 0;

  // Which word is being said, for states [n, width] of positions that write a spoken frame: for each row one
  // number for each of its `words`, given by their first pieces; the larger the likelier. All empty for a
  // model that has no word head (ModelConfig::word_head). REQUIRES: pieces are text pieces.
  virtual std::vector<std::vector<float>> WordScores(
      const at::Tensor& states, std::span<const std::span<const int64_t>> words) const = 0;

  virtual const ModelConfig& config() const = 0;
  virtual uint64_t parameters() const = 0;
};

}  // namespace antiphon
