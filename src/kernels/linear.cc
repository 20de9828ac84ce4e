#include "kernels/linear.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/thread_team.h"

namespace antiphon {
namespace {

// Calls multiply(first, last) over all outputs, on several threads where that pays. `bytes` of weights are
// read once for up to four rows in the time that memory takes; for more rows the arithmetic adds up. At the
// 10 GB/s or so that a core reads, a mebibyte is 100 us, and to wake a thread costs ten: one row of Wren's
// largest matrix stays on the caller's.
template <typename Multiply>
void ShareOutputs(int64_t bytes, int64_t rows, int64_t out, const Multiply& multiply) {
  constexpr int64_t kWorthSharing = 1 << 20;
  constexpr int64_t kPart = 128 << 10;
  ThreadTeam* team = ThreadTeamScope::Current();
  const int64_t cost = bytes * ((rows + 3) / 4);
  if (team == nullptr || team->threads() == 1 || cost < kWorthSharing) return multiply(int64_t{0}, out);
  const int64_t wanted = std::clamp<int64_t>(cost / kPart, 1, 64);
  const int64_t outputs = (out / wanted + 7) / 8 * 8;  // of a part: the loops take eight at a time
  const int64_t step = std::max<int64_t>(outputs, 8);
  team->Run(static_cast<int>((out + step - 1) / step),
            [&](int part) { multiply(part * step, std::min(out, (part + 1) * step)); });
}

void Int8Linear(const torch::Tensor& x, const WeightMatrix& weight, bool add, torch::Tensor* y) {
  const int64_t rows = x.size(0);
  const int64_t in = weight.in();
  const int64_t out = weight.out();
  TORCH_CHECK(weight.values.scalar_type() == torch::kChar && weight.scales.scalar_type() == torch::kFloat &&
                  weight.scales.numel() == out && weight.scales.is_contiguous(),
              "Linear: int8 weights need a float32 scale a row");
  thread_local std::vector<int16_t> values;
  thread_local std::vector<float> steps;
  values.resize(rows * Int8Rows::Stride(in));
  steps.resize(rows * Int8Rows::Blocks(in));
  const Int8Rows quantized{values.data(), steps.data()};
  const Int8Loops& loops = CpuInt8Loops();
  loops.quantize(x.data_ptr<float>(), rows, in, quantized);
  const int8_t* w = weight.values.data_ptr<int8_t>();
  const float* scales = weight.scales.data_ptr<float>();
  float* to = y->data_ptr<float>();
  ShareOutputs(weight.bytes(), rows, out, [&](int64_t first, int64_t last) {
    loops.multiply(quantized, rows, w, scales, in, out, first, last, add, to);
  });
}

void FloatLinear(const torch::Tensor& x, const torch::Tensor& weight, bool add, torch::Tensor* y) {
  const int64_t rows = x.size(0);
  const int64_t in = weight.size(1);
  const int64_t out = weight.size(0);
  thread_local std::vector<float> scratch;
  scratch.resize(rows * ((in + 31) / 32 * 32));
  float* arranged = scratch.data();
  const SimdLoops& loops = CpuLoops();
  float* to = y->data_ptr<float>();
  const auto bytes = static_cast<int64_t>(weight.nbytes());
  if (weight.scalar_type() == torch::kBFloat16) {
    const auto* w = static_cast<const uint16_t*>(weight.data_ptr());
    loops.arrange_bf16(x.data_ptr<float>(), rows, in, arranged);
    ShareOutputs(bytes, rows, out, [&](int64_t first, int64_t last) {
      loops.multiply_bf16(arranged, rows, w, in, out, first, last, add, to);
    });
  } else {
    const float* w = weight.data_ptr<float>();
    loops.arrange_f32(x.data_ptr<float>(), rows, in, arranged);
    ShareOutputs(bytes, rows, out, [&](int64_t first, int64_t last) {
      loops.multiply_f32(arranged, rows, w, in, out, first, last, add, to);
    });
  }
}

void CpuLinear(const torch::Tensor& x, const WeightMatrix& weight, bool add, torch::Tensor* y) {
  TORCH_CHECK(weight.in() == x.size(1) && y->size(0) == x.size(0) && y->size(1) == weight.out(),
              "Linear: shapes disagree");
  TORCH_CHECK(x.is_contiguous() && weight.values.is_contiguous() && y->is_contiguous(),
              "Linear: not contiguous");
  if (weight.is_int8()) {
    Int8Linear(x, weight, add, y);
  } else {
    FloatLinear(x, weight.values, add, y);
  }
}

torch::Tensor AtenLinear(const torch::Tensor& x, const WeightMatrix& weight) {
  return at::matmul(x, ToFloat(weight).t());
}

}  // namespace

torch::Tensor Linear(const torch::Tensor& x, const WeightMatrix& weight) {
  if (!UseCpuLoops(x)) return AtenLinear(x, weight);
  torch::Tensor y = at::empty({x.size(0), weight.out()}, x.options());
  CpuLinear(x, weight, /*add=*/false, &y);
  return y;
}

void AddLinear(const torch::Tensor& x, const WeightMatrix& weight, torch::Tensor* sum) {
  if (UseCpuLoops(x)) {
    CpuLinear(x, weight, /*add=*/true, sum);
  } else {
    sum->add_(AtenLinear(x, weight));
  }
}

}  // namespace antiphon
