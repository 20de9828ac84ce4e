// The small steps of a transformer between its matrix products. Contract of kernels/linear.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace antiphon {

// x / sqrt(mean(x^2) + eps) * weight, row by row; x [n, width], weight [width], float32.
at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps);

// silu(gate) * up; equal shapes, float32.
at::Tensor SwiGlu(const at::Tensor& gate, const at::Tensor& up);

// x[rows[i]] += table[ids[i]] for all i; x [n, width] float32, table [entries, width] float32 or bfloat16.
// Throws c10::Error when an id or a row is out of range.
void AddEmbedding(const at::Tensor& table, const std::vector<int64_t>& rows, const std::vector<int64_t>& ids,
                  at::Tensor* x);

// Cosines and sines of the rotary position encoding.
struct RotaryTable {
  at::Tensor cosines;  // [positions, head_width / 2]
  at::Tensor sines;    // likewise
};

RotaryTable MakeRotaryTable(int64_t positions, int64_t head_width, double theta, at::Device device);

// Rotates every head of x [n, heads, head_width] in place by its row's position, first half of the head with
// the second (the convention of GPT-NeoX and Llama). REQUIRES: positions lie within the table.
void Rotate(const RotaryTable& table, const std::vector<int64_t>& positions, at::Tensor* x);

}  // namespace antiphon
