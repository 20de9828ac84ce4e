// The CPU's form of paged_attention.h, which has checked everything but memory order.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "kernels/sequence_span.h"

namespace antiphon {

void CpuWritePages(const at::Tensor& rows, const std::vector<SequenceSpan>& spans, at::Tensor* pool);

at::Tensor CpuPagedAttention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                             const std::vector<SequenceSpan>& spans);

}  // namespace antiphon
