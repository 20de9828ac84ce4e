// The small steps of a transformer between its matrix products. Contract of kernels/linear.h.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace antiphon {

// x / sqrt(mean(x^2) + eps) * weight, row by row; x [n, width], weight [width], float32.
torch::Tensor RmsNorm(const torch::Tensor& x, const torch::Tensor& weight, double eps);

// silu(gate) * up; equal shapes, float32.
torch::Tensor SwiGlu(const torch::Tensor& gate, const torch::Tensor& up);

// x[rows[i]] += table[ids[i]] for all i; x [n, width] float32, table [entries, width] float32 or bfloat16.
// Throws c10::Error when an id or a row is out of range.
void AddEmbedding(const torch::Tensor& table, const std::vector<int64_t>& rows,
                  const std::vector<int64_t>& ids, torch::Tensor* x);

// Cosines and sines of the rotary position encoding.
struct RotaryTable {
  torch::Tensor cosines;  // [positions, head_width / 2]
  torch::Tensor sines;    // likewise
};

RotaryTable MakeRotaryTable(int64_t positions, int64_t head_width, double theta, torch::Device device);

// Rotates every head of x [n, heads, head_width] in place by its row's position, first half of the head with
// the second (the convention of GPT-NeoX and Llama). REQUIRES: positions lie within the table.
void Rotate(const RotaryTable& table, const std::vector<int64_t>& positions, torch::Tensor* x);

}  // namespace antiphon
