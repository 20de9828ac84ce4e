// Matrix products with weights as a model file holds them.
#pragma once

#include <torch/types.h>

namespace antiphon {

// x W^T: x [n, in] float32, weight [out, in] float32 or bfloat16 (expanded on the way; sums are float32 in
// either case). Returns [n, out] float32. On the CPU a row of the result is the same to the bit whatever the
// other rows are. All kernels: tensors are contiguous and on one device; one thread, the caller's; no
// autograd.
torch::Tensor Linear(const torch::Tensor& x, const torch::Tensor& weight);

// sum += x W^T; sum [n, out] float32.
void AddLinear(const torch::Tensor& x, const torch::Tensor& weight, torch::Tensor* sum);

}  // namespace antiphon
