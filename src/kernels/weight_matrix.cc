#include "kernels/weight_matrix.h"

namespace antiphon {

int64_t WeightMatrix::bytes() const {
  return static_cast<int64_t>(values.nbytes() + (is_int8() ? scales.nbytes() : 0));
}

WeightMatrix QuantizeRows(const torch::Tensor& weight) {
  const torch::Tensor floats = weight.to(torch::kFloat).contiguous();
  const torch::Tensor largest = floats.abs().amax(1, /*keepdim=*/true);
  // Below that a row is zeros: its scale would not be a normal number.
  const torch::Tensor is_zero = largest < 1e-30;
  const torch::Tensor inverse = largest.reciprocal().mul_(127).masked_fill_(is_zero, 0);
  return {(floats * inverse).round_().clamp_(-127, 127).to(torch::kChar),
          largest.div(127).masked_fill_(is_zero, 0).squeeze(1)};
}

torch::Tensor ToFloat(const WeightMatrix& weight) {
  const torch::Tensor values = weight.values.to(torch::kFloat);
  return weight.is_int8() ? values * weight.scales.unsqueeze(1) : values;
}

}  // namespace antiphon
