#include "kernels/elementwise.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tensor.h>

#include <cstring>

#include "kernels/dispatch.h"

namespace antiphon {
namespace {

torch::Tensor AsTensor(const std::vector<int64_t>& values, torch::Device device) {
  return at::tensor(values, torch::kLong).to(device);
}

void AddRow(const float* from, int64_t width, float* to) {
  for (int64_t i = 0; i < width; ++i) to[i] += from[i];
}

void AddRow(const uint16_t* from, int64_t width, float* to) {
  for (int64_t i = 0; i < width; ++i) {
    const uint32_t bits = static_cast<uint32_t>(from[i]) << 16;  // bfloat16 is the upper half of a float
    float value;
    std::memcpy(&value, &bits, sizeof value);
    to[i] += value;
  }
}

template <typename T>
void AddRows(const T* table, const std::vector<int64_t>& rows, const std::vector<int64_t>& ids, int64_t width,
             float* x) {
  for (size_t i = 0; i < ids.size(); ++i) AddRow(table + ids[i] * width, width, x + rows[i] * width);
}

void CpuRotate(const RotaryTable& table, const std::vector<int64_t>& positions, torch::Tensor* x) {
  TORCH_CHECK(x->is_contiguous(), "Rotate: not contiguous");
  const int64_t heads = x->size(1);
  const int64_t half = x->size(2) / 2;
  float* first = x->data_ptr<float>();
  for (const int64_t position : positions) {
    const float* cosines = table.cosines.data_ptr<float>() + position * half;
    const float* sines = table.sines.data_ptr<float>() + position * half;
    for (int64_t h = 0; h < heads; ++h, first += 2 * half) {
      float* second = first + half;
      for (int64_t i = 0; i < half; ++i) {
        const float a = first[i];
        const float b = second[i];
        first[i] = a * cosines[i] - b * sines[i];
        second[i] = b * cosines[i] + a * sines[i];
      }
    }
  }
}

}  // namespace

torch::Tensor RmsNorm(const torch::Tensor& x, const torch::Tensor& weight, double eps) {
  if (!UseCpuLoops(x)) return x * at::rsqrt(x.pow(2).mean(-1, /*keepdim=*/true) + eps) * weight;
  TORCH_CHECK(x.is_contiguous() && weight.numel() == x.size(1), "RmsNorm: shapes disagree");
  torch::Tensor y = at::empty_like(x);
  CpuLoops().rms_norm(x.data_ptr<float>(), x.size(0), x.size(1), weight.data_ptr<float>(),
                      static_cast<float>(eps), y.data_ptr<float>());
  return y;
}

torch::Tensor SwiGlu(const torch::Tensor& gate, const torch::Tensor& up) {
  if (!UseCpuLoops(gate)) return at::silu(gate) * up;
  TORCH_CHECK(gate.is_contiguous() && up.is_contiguous() && gate.numel() == up.numel(),
              "SwiGlu: shapes disagree");
  torch::Tensor y = at::empty_like(gate);
  CpuLoops().swiglu(gate.data_ptr<float>(), up.data_ptr<float>(), gate.numel(), y.data_ptr<float>());
  return y;
}

void AddEmbedding(const torch::Tensor& table, const std::vector<int64_t>& rows,
                  const std::vector<int64_t>& ids, torch::Tensor* x) {
  TORCH_CHECK(rows.size() == ids.size(), "AddEmbedding: ", rows.size(), " rows for ", ids.size(), " ids");
  for (size_t i = 0; i < ids.size(); ++i) {
    TORCH_CHECK(ids[i] >= 0 && ids[i] < table.size(0), "AddEmbedding: id ", ids[i], " is not in the table");
    TORCH_CHECK(rows[i] >= 0 && rows[i] < x->size(0), "AddEmbedding: row ", rows[i], " is not in the batch");
  }
  if (ids.empty()) return;
  if (!UseCpuLoops(*x)) {
    const torch::Tensor added = table.index_select(0, AsTensor(ids, table.device())).to(torch::kFloat);
    x->index_add_(0, AsTensor(rows, x->device()), added);
  } else if (table.scalar_type() == torch::kBFloat16) {
    AddRows(static_cast<const uint16_t*>(table.data_ptr()), rows, ids, table.size(1), x->data_ptr<float>());
  } else {
    AddRows(table.data_ptr<float>(), rows, ids, table.size(1), x->data_ptr<float>());
  }
}

RotaryTable MakeRotaryTable(int64_t positions, int64_t head_width, double theta, torch::Device device) {
  const auto options = torch::TensorOptions().dtype(torch::kFloat);
  const int64_t half = head_width / 2;
  // In float32 step by step, as the trainer does it: at position 1000 another rounding of the angle would be
  // visible.
  const torch::Tensor frequencies = at::pow(theta, -(at::arange(half, options) / static_cast<double>(half)));
  const torch::Tensor angles = at::outer(at::arange(positions, options), frequencies);
  return {angles.cos().to(device), angles.sin().to(device)};
}

void Rotate(const RotaryTable& table, const std::vector<int64_t>& positions, torch::Tensor* x) {
  if (UseCpuLoops(*x)) return CpuRotate(table, positions, x);
  const torch::Tensor at = AsTensor(positions, x->device());
  const torch::Tensor cosines = table.cosines.index_select(0, at).unsqueeze(1);  // [n, 1, half]
  const torch::Tensor sines = table.sines.index_select(0, at).unsqueeze(1);
  const std::vector<torch::Tensor> halves = x->chunk(2, -1);
  x->copy_(at::cat({halves[0] * cosines - halves[1] * sines, halves[1] * cosines + halves[0] * sines}, -1));
}

}  // namespace antiphon
