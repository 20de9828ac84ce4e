// The CPU's form of paged_attention.h, which has checked everything but memory order.
#pragma once

#include <torch/types.h>

#include <vector>

#include "kernels/sequence_span.h"

namespace antiphon {

void CpuWritePages(const torch::Tensor& rows, const std::vector<SequenceSpan>& spans, torch::Tensor* pool);

torch::Tensor CpuPagedAttention(const torch::Tensor& queries, const torch::Tensor& keys,
                                const torch::Tensor& values, const std::vector<SequenceSpan>& spans);

}  // namespace antiphon
