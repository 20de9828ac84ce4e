// Matrix products with weights as a model file holds them.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <vector>

#include "kernels/weight_matrix.h"

namespace antiphon {

// x W^T: x [n, in] float32, weight [out, in]. Returns [n, out] float32. bfloat16 weights are expanded on the
// way and sums are float32. With int8 weights x is rounded to 16 bits on the CPU, a block of 512 of a row at
// a time (kernels/int8_loops.h: a row that holds a NaN or an infinity becomes NaN), and the result is the
// same to the bit on every kind of CPU; the plain-ATen form computes with the float32 matrix that the weights
// stand for. On the CPU a row of the result is the same to the bit whatever the other rows are, and on
// however many threads: a large product is shared with the caller's ThreadTeamScope, if it has one. All
// kernels: tensors are contiguous and on one device; no autograd.
at::Tensor Linear(const at::Tensor& x, const WeightMatrix& weight);

// x W^T for each of `weights`, [n, out of each]: the same bits as Linear for each, in less time. x is
// arranged for the weights once, and the threads share all products in one go.
std::vector<at::Tensor> LinearEach(const at::Tensor& x, std::initializer_list<const WeightMatrix*> weights);

// sum += x W^T; sum [n, out] float32.
void AddLinear(const at::Tensor& x, const WeightMatrix& weight, at::Tensor* sum);

}  // namespace antiphon
