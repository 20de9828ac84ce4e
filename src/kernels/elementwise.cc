#include "kernels/elementwise.h"

#include <ATen/TensorOperators.h>
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

at::Tensor AsTensor(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
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

void CpuRotate(const RotaryTable& table, const std::vector<int64_t>& positions, at::Tensor* x) {
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

at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (!UseCpuLoops(x)) return x * at::rsqrt(x.pow(2).mean(-1, /*keepdim=*/true) + eps) * weight;
  TORCH_CHECK(x.is_contiguous() && weight.numel() == x.size(1), "RmsNorm: shapes disagree");
  at::Tensor y = at::empty_like(x);
  CpuLoops().rms_norm(x.data_ptr<float>(), x.size(0), x.size(1), weight.data_ptr<float>(),
                      static_cast<float>(eps), y.data_ptr<float>());
  return y;
}

at::Tensor SwiGlu(const at::Tensor& gate, const at::Tensor& up) {
  if (!UseCpuLoops(gate)) return at::silu(gate) * up;
  TORCH_CHECK(gate.is_contiguous() && up.is_contiguous() && gate.numel() == up.numel(),
              "SwiGlu: shapes disagree");
  at::Tensor y = at::empty_like(gate);
  CpuLoops().swiglu(gate.data_ptr<float>(), up.data_ptr<float>(), gate.numel(), y.data_ptr<float>());
  return y;
}

void AddEmbedding(const at::Tensor& table, const std::vector<int64_t>& rows, const std::vector<int64_t>& ids,
                  at::Tensor* x) {
  TORCH_CHECK(rows.size() == ids.size(), "AddEmbedding: ", rows.size(), " rows for ", ids.size(), " ids");
  for (size_t i = 0; i < ids.size(); ++i) {
    TORCH_CHECK(ids[i] >= 0 && ids[i] < table.size(0), "AddEmbedding: id ", ids[i], " is not in the table");
    TORCH_CHECK(rows[i] >= 0 && rows[i] < x->size(0), "AddEmbedding: row ", rows[i], " is not in the batch");
  }
  if (ids.empty()) return;
  if (!UseCpuLoops(*x)) {
    const at::Tensor added = table.index_select(0, AsTensor(ids, table.device())).to(at::kFloat);
    x->index_add_(0, AsTensor(rows, x->device()), added);
  } else if (table.scalar_type() == at::kBFloat16) {
    AddRows(static_cast<const uint16_t*>(table.data_ptr()), rows, ids, table.size(1), x->data_ptr<float>());
  } else {
    AddRows(table.data_ptr<float>(), rows, ids, table.size(1), x->data_ptr<float>());
  }
}

RotaryTable MakeRotaryTable(int64_t positions, int64_t head_width, double theta, at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  const int64_t half = head_width / 2;
  // In float32 step by step, as the trainer does it: at position 1000 another rounding of the angle would be
  // visible.
  const at::Tensor frequencies = at::pow(theta, -(at::arange(half, options) / static_cast<double>(half)));
  const at::Tensor angles = at::outer(at::arange(positions, options), frequencies);
  return {angles.cos().to(device), angles.sin().to(device)};
}

void Rotate(const RotaryTable& table, const std::vector<int64_t>& positions, at::Tensor* x) {
  if (UseCpuLoops(*x)) return CpuRotate(table, positions, x);
  const at::Tensor at = AsTensor(positions, x->device());
  const at::Tensor cosines = table.cosines.index_select(0, at).unsqueeze(1);  // [n, 1, half]
  const at::Tensor sines = table.sines.index_select(0, at).unsqueeze(1);
  const std::vector<at::Tensor> halves = x->chunk(2, -1);
  x->copy_(at::cat({halves[0] * cosines - halves[1] * sines, halves[1] * cosines + halves[0] * sines}, -1));
}

}  // namespace antiphon
