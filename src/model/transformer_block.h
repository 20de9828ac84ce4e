// One pre-norm transformer layer: attention, then a gated MLP. The backbone and the depth decoder are stacks
// of these.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "antiphon/kv_format.h"
#include "kernels/elementwise.h"
#include "kernels/sequence_span.h"
#include "model/model_config.h"
#include "model/weight_reader.h"

namespace antiphon {

struct BlockWeights {
  at::Tensor attn_norm;  // [width]
  WeightMatrix wq, wk, wv,
      wo;               // [heads * head_width, width], [kv_heads * head_width, width] twice, wq's transposed
  at::Tensor mlp_norm;  // [width]
  WeightMatrix w_gate, w_up;  // [mlp_width, width]
  WeightMatrix w_down;        // [width, mlp_width]
};

// Reads the tensors whose names begin with `prefix`.
BlockWeights ReadBlock(const std::string& prefix, const TransformerShape& shape, WeightReader* reader);

// What the rows of a batch are, the same for all layers of a pass.
struct BlockRows {
  const std::vector<SequenceSpan>& spans;
  const RotaryTable* rotary = nullptr;  // null: no position encoding
  std::vector<int64_t> positions = {};  // [rows], for `rotary`
};

// Runs the layer on `x` [rows, width] in place; its keys and values go to the pools that MakePages
// made.
void RunBlock(const BlockWeights& weights, const TransformerShape& shape, const BlockRows& rows,
              at::Tensor* keys, at::Tensor* values, at::Tensor* x);

// A pool of keys or of values for one layer, uninitialised.
at::Tensor MakePages(const TransformerShape& shape, int64_t pages, int64_t page_positions, at::Device device,
                     KvFormat format = KvFormat::kFloat32);

}  // namespace antiphon
