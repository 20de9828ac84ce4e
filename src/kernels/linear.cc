#include "kernels/linear.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <c10/util/SmallVector.h>

#include <algorithm>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/thread_team.h"

namespace antiphon {
namespace {

// The rows of x as the loops for one kind of weights want them.
class ArrangedRows {
 public:
  // For matrices of the kind and width of `like`.
  ArrangedRows(const at::Tensor& x, const WeightMatrix& like) : rows_(x.size(0)), in_(like.in()) {
    const float* from = x.data_ptr<float>();
    if (like.is_int8()) {
      values_.resize(rows_ * Int8Rows::Stride(in_));
      steps_.resize(rows_ * Int8Rows::Blocks(in_));
      int8_ = {values_.data(), steps_.data()};
      int8_loops_.quantize(from, rows_, in_, int8_);
      return;
    }
    floats_.resize(rows_ * ((in_ + 31) / 32 * 32));
    float_ = floats_.data();
    if (like.values.scalar_type() == at::kBFloat16) {
      loops_.arrange_bf16(from, rows_, in_, float_);
    } else {
      loops_.arrange_f32(from, rows_, in_, float_);
    }
  }

  // Outputs [first, last) of the product with `weight`. From any thread.
  void Multiply(const WeightMatrix& weight, int64_t first, int64_t last, bool add, float* y) const {
    const int64_t out = weight.out();
    if (weight.is_int8()) {
      int8_loops_.multiply(int8_, rows_, weight.values.data_ptr<int8_t>(), weight.scales.data_ptr<float>(),
                           in_, out, first, last, add, y);
    } else if (weight.values.scalar_type() == at::kBFloat16) {
      const auto* w = static_cast<const uint16_t*>(weight.values.data_ptr());
      loops_.multiply_bf16(float_, rows_, w, in_, out, first, last, add, y);
    } else {
      loops_.multiply_f32(float_, rows_, weight.values.data_ptr<float>(), in_, out, first, last, add, y);
    }
  }

  int64_t rows() const { return rows_; }

 private:
  // Kept by the thread from one product to the next.
  static thread_local std::vector<int16_t> values_;
  static thread_local std::vector<float> steps_;
  static thread_local std::vector<float> floats_;

  const int64_t rows_;
  const int64_t in_;
  const Int8Loops& int8_loops_ = CpuInt8Loops();
  const SimdLoops& loops_ = CpuLoops();
  Int8Rows int8_ = {};
  float* float_ = nullptr;
};

thread_local std::vector<int16_t> ArrangedRows::values_;
thread_local std::vector<float> ArrangedRows::steps_;
thread_local std::vector<float> ArrangedRows::floats_;

// One of the products of a call.
struct Product {
  const WeightMatrix* weight;
  float* y;
};

// All products with the same x, of one kind and width, on several threads where that pays. `bytes` of weights
// are read once for up to four rows in the time that memory takes; for more rows the arithmetic adds up. At
// the 10 GB/s or so that a core reads, half a mebibyte is 50 us, and to wake a thread costs ten.
void Multiply(const ArrangedRows& x, at::ArrayRef<Product> products, bool add) {
  constexpr int64_t kWorthSharing = 512 << 10;
  constexpr int64_t kLeastPart = 32 << 10;
  constexpr int64_t kMostPart = 128 << 10;
  constexpr int64_t kPanel = 16;  // outputs: a multiple of what any of the loops takes at a time
  int64_t bytes = 0, outs = 0;
  for (const Product& product : products) {
    bytes += product.weight->bytes();
    outs += product.weight->out();
  }
  ThreadTeam* team = ThreadTeamScope::Current();
  const int64_t cost = bytes * ((x.rows() + 3) / 4);
  if (team == nullptr || team->threads() == 1 || cost < kWorthSharing) {
    for (const Product& p : products) x.Multiply(*p.weight, 0, p.weight->out(), add, p.y);
    return;
  }
  const int64_t part_cost = std::clamp(cost / 16, kLeastPart, kMostPart);
  const int64_t wanted = std::clamp<int64_t>(cost / part_cost, 1, 64);
  const int64_t step = (outs / wanted + kPanel - 1) / kPanel * kPanel;  // outputs of a part
  const int64_t outputs = std::max(step, kPanel);
  const auto parts_of = [&](const Product& p) { return (p.weight->out() + outputs - 1) / outputs; };
  int64_t parts = 0;
  for (const Product& product : products) parts += parts_of(product);
  team->Run(static_cast<int>(parts), [&](int64_t part) {
    const Product* product = products.begin();
    for (; part >= parts_of(*product); ++product) part -= parts_of(*product);
    const int64_t first = part * outputs;
    x.Multiply(*product->weight, first, std::min(first + outputs, product->weight->out()), add, product->y);
  });
}

void Check(const at::Tensor& x, const WeightMatrix& weight, const at::Tensor& y) {
  TORCH_CHECK(weight.in() == x.size(1) && y.size(0) == x.size(0) && y.size(1) == weight.out(),
              "Linear: shapes disagree");
  TORCH_CHECK(x.is_contiguous() && weight.values.is_contiguous() && y.is_contiguous(),
              "Linear: not contiguous");
  TORCH_CHECK(!weight.is_int8() ||
                  (weight.values.scalar_type() == at::kChar && weight.scales.scalar_type() == at::kFloat &&
                   weight.scales.numel() == weight.out() && weight.scales.is_contiguous()),
              "Linear: int8 weights need a float32 scale a row");
  // The loops run in parts of a ThreadTeam, which must not throw.
  const at::ScalarType kind = weight.values.scalar_type();
  TORCH_CHECK(weight.is_int8() || kind == at::kFloat || kind == at::kBFloat16, "Linear: weights of ", kind);
}

void CpuLinear(const at::Tensor& x, const WeightMatrix& weight, bool add, at::Tensor* y) {
  Check(x, weight, *y);
  Multiply(ArrangedRows(x, weight), Product{&weight, y->data_ptr<float>()}, add);
}

bool SameKind(const WeightMatrix& a, const WeightMatrix& b) {
  return a.is_int8() == b.is_int8() && a.values.scalar_type() == b.values.scalar_type();
}

at::Tensor AtenLinear(const at::Tensor& x, const WeightMatrix& weight) {
  return at::matmul(x, ToFloat(weight).t());
}

}  // namespace

at::Tensor Linear(const at::Tensor& x, const WeightMatrix& weight) {
  if (!UseCpuLoops(x)) return AtenLinear(x, weight);
  at::Tensor y = at::empty({x.size(0), weight.out()}, x.options());
  CpuLinear(x, weight, /*add=*/false, &y);
  return y;
}

std::vector<at::Tensor> LinearEach(const at::Tensor& x, std::initializer_list<const WeightMatrix*> weights) {
  std::vector<at::Tensor> results;
  const bool together =
      UseCpuLoops(x) && std::all_of(weights.begin(), weights.end(),
                                    [&](const auto* weight) { return SameKind(*weight, **weights.begin()); });
  if (!together) {
    for (const WeightMatrix* weight : weights) results.push_back(Linear(x, *weight));
    return results;
  }
  c10::SmallVector<Product, 4> products;
  for (const WeightMatrix* weight : weights) {
    results.push_back(at::empty({x.size(0), weight->out()}, x.options()));
    Check(x, *weight, results.back());
    products.push_back({weight, results.back().data_ptr<float>()});
  }
  if (!products.empty()) Multiply(ArrangedRows(x, **weights.begin()), products, /*add=*/false);
  return results;
}

void AddLinear(const at::Tensor& x, const WeightMatrix& weight, at::Tensor* sum) {
  if (UseCpuLoops(x)) {
    CpuLinear(x, weight, /*add=*/true, sum);
  } else {
    sum->add_(AtenLinear(x, weight));
  }
}

}  // namespace antiphon
