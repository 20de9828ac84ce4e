// Attention of a ragged batch over a paged key-value cache. Contract of kernels/linear.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "kernels/sequence_span.h"

namespace antiphon {

// Writes rows [n, kv_heads, head_width] of a batch to their places in a pool of MakeKvPages
// (kernels/kv_rows.h), rounded to its form. REQUIRES, here and below: the spans cover the rows in their
// order, each once, and their page tables cover their positions with pages of the pool (checked: c10::Error).
void WritePages(const at::Tensor& rows, const std::vector<SequenceSpan>& spans, at::Tensor* pool);

// For each row the attention of queries [n, heads, head_width] over all positions of its sequence up to and
// including its own, which WritePages has already put in the pool; heads is a multiple of kv_heads, query
// head h reads key head h * kv_heads / heads. Returns [n, heads * head_width]. What a call
// takes grows with the positions that are attended to. On the CPU no more than a tile of the pool is ever
// expanded (the plain-ATen form gathers each sequence), a key is read once for all query heads that share it
// and for up to 16 rows of a span; large calls are shared with the caller's ThreadTeamScope; and a row's
// result is the same to the bit whether its span came alone, in a longer chunk or in another batch, in pages
// of whatever size, and on however many threads.
at::Tensor PagedAttention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                          const std::vector<SequenceSpan>& spans);

}  // namespace antiphon
