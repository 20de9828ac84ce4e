#include "kernels/linear.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>

#include <vector>

#include "kernels/dispatch.h"

namespace antiphon {
namespace {

// Not spread over threads: one row of Wren's largest matrix takes 50 us, about what it costs to wake a second
// thread, and the second core is busy with other sessions' audio.
void CpuLinear(const torch::Tensor& x, const torch::Tensor& weight, bool add, torch::Tensor* y) {
  const int64_t rows = x.size(0);
  const int64_t in = x.size(1);
  const int64_t out = weight.size(0);
  TORCH_CHECK(weight.size(1) == in && y->size(0) == rows && y->size(1) == out, "Linear: shapes disagree");
  TORCH_CHECK(x.is_contiguous() && weight.is_contiguous() && y->is_contiguous(), "Linear: not contiguous");
  thread_local std::vector<float> scratch;
  scratch.resize(rows * ((in + 31) / 32 * 32));
  const SimdLoops& loops = CpuLoops();
  if (weight.scalar_type() == torch::kBFloat16) {
    loops.linear_bf16(x.data_ptr<float>(), rows, static_cast<const uint16_t*>(weight.data_ptr()), in, out,
                      add, scratch.data(), y->data_ptr<float>());
  } else {
    loops.linear_f32(x.data_ptr<float>(), rows, weight.data_ptr<float>(), in, out, add, scratch.data(),
                     y->data_ptr<float>());
  }
}

torch::Tensor AtenLinear(const torch::Tensor& x, const torch::Tensor& weight) {
  return at::matmul(x, weight.to(torch::kFloat).t());
}

}  // namespace

torch::Tensor Linear(const torch::Tensor& x, const torch::Tensor& weight) {
  if (!UseCpuLoops(x)) return AtenLinear(x, weight);
  torch::Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
  CpuLinear(x, weight, /*add=*/false, &y);
  return y;
}

void AddLinear(const torch::Tensor& x, const torch::Tensor& weight, torch::Tensor* sum) {
  if (UseCpuLoops(x)) {
    CpuLinear(x, weight, /*add=*/true, sum);
  } else {
    sum->add_(AtenLinear(x, weight));
  }
}

}  // namespace antiphon
