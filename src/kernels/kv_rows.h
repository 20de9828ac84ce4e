// How keys and values lie in a page. A row is one head of one position: floats, bfloat16s, or bytes with the
// float that they are to be multiplied with behind them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "antiphon/kv_format.h"

namespace antiphon {

// Pages of keys or values [pages, page_positions, kv_heads, row], uninitialised. A row has head_width
// elements of the format's type, with int8 four more. Throws c10::Error when a size is not positive.
at::Tensor MakeKvPages(KvFormat format, int64_t pages, int64_t page_positions, int64_t kv_heads,
                       int64_t head_width, at::Device device);

// Of pages that MakeKvPages made (checked: c10::Error).
KvFormat KvFormatOf(const at::Tensor& pages);
int64_t HeadWidthOf(const at::Tensor& pages);

int64_t KvRowBytes(KvFormat format, int64_t head_width);

// The plain-ATen form of AttentionLoops::write_rows and read_rows (kernels/attention_loops.h): float32
// [..., head_width] to the rows of a page [..., row], and back.
at::Tensor ToKvRows(const at::Tensor& x, KvFormat format);
at::Tensor FromKvRows(const at::Tensor& rows);

}  // namespace antiphon
