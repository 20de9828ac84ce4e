#include "kernels/weight_matrix.h"

#include <ATen/TensorOperators.h>

namespace antiphon {

int64_t WeightMatrix::bytes() const {
  return static_cast<int64_t>(values.nbytes() + (is_int8() ? scales.nbytes() : 0));
}

WeightMatrix QuantizeRows(const at::Tensor& weight) {
  const at::Tensor floats = weight.to(at::kFloat).contiguous();
  const at::Tensor largest = floats.abs().amax(1, /*keepdim=*/true);
  // Below that a row is zeros: its scale would not be a normal number.
  const at::Tensor is_zero = largest < 1e-30;
  const at::Tensor inverse = largest.reciprocal().mul_(127).masked_fill_(is_zero, 0);
  return {(floats * inverse).round_().clamp_(-127, 127).to(at::kChar),
          largest.div(127).masked_fill_(is_zero, 0).squeeze(1)};
}

at::Tensor ToFloat(const WeightMatrix& weight) {
  const at::Tensor values = weight.values.to(at::kFloat);
  return weight.is_int8() ? values * weight.scales.unsqueeze(1) : values;
}

}  // namespace antiphon
