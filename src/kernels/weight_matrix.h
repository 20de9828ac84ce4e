// A matrix of weights as a model file holds it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

namespace antiphon {

// [out, in]: `values` in float32 or bfloat16; or in int8 with a float32 scale an output row, and then row o
// is scales[o] * values[o]. A value: copies share the tensors, which nobody writes to.
//
// One scale a row, not one for each 32 weights: the steps of a row's int8 are then some 30 to 60 % coarser
// for normally distributed weights, but a product reads 6 to 12 % fewer bytes, on which its time depends, and
// sums stay integers. Activations keep 16 bits (kernels/int8_loops.h), so outliers among them do not call for
// groups.
struct WeightMatrix {
  WeightMatrix() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a float matrix is a tensor and nothing more.
  WeightMatrix(at::Tensor floats) : values(std::move(floats)) {}
  WeightMatrix(at::Tensor int8_values, at::Tensor row_scales)
      : values(std::move(int8_values)), scales(std::move(row_scales)) {}

  bool is_int8() const { return scales.defined(); }
  int64_t out() const { return values.size(0); }
  int64_t in() const { return values.size(1); }
  int64_t bytes() const;

  at::Tensor values;  // [out, in]
  at::Tensor scales;  // [out], finite and not negative; undefined for floats
};

// The int8 matrix nearest to `weight`, a floating-point matrix of finite numbers: values within +-127, the
// largest of each row at one of the two; a row of zeros has the scale 0. Contiguous, on the device of
// `weight`.
WeightMatrix QuantizeRows(const at::Tensor& weight);

// The matrix in float32.
at::Tensor ToFloat(const WeightMatrix& weight);

}  // namespace antiphon
