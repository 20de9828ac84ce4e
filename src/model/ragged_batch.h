// The flat list of positions that one forward pass runs: prefill chunks and single steps of many sequences
// together.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kernels/sequence_span.h"

namespace antiphon {

// Codes of one audio channel for the rows that carry it.
struct ChannelCodes {
  std::vector<int64_t> rows;   // rows of the batch, ascending
  std::vector<int64_t> codes;  // [rows.size(), K], row-major
};

// Input of one forward pass. Plain data, built by the engine for each step.
struct RaggedBatch {
  std::vector<int64_t> symbols;     // [N] one a row
  ChannelCodes heard;               // the user's frames
  ChannelCodes spoken;              // the model's own frames
  std::vector<SequenceSpan> spans;  // cover the N rows in order

  int64_t rows() const { return static_cast<int64_t>(symbols.size()); }
};

// The pool of key and value pages. One tensor a layer each, as MakeKvPages (kernels/kv_rows.h) makes
// them: [pages, page_positions, kv_heads, row].
// Who uses which page is the engine's business; the model only reads and writes through page tables.
struct KvPool {
  int64_t page_positions = 0;
  std::vector<at::Tensor> keys;
  std::vector<at::Tensor> values;
};

}  // namespace antiphon
