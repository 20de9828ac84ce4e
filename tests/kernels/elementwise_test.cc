#include "kernels/elementwise.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "tests/kernels/forms.h"

namespace antiphon {
namespace {

TEST(RmsNorm, EveryFormAgreesWithAten) {
  for (const int64_t width : {1, 16, 37, 256}) {
    const at::Tensor x = Noise({5, width}, 1) * 3;
    const at::Tensor weight = Noise({width}, 2);
    const at::Tensor expected = [&] {
      const auto form = KernelFormGuard::Aten();
      return RmsNorm(x, weight, 1e-5);
    }();
    for (const SimdLoops* loops : RunnableLoops()) {
      const auto form = KernelFormGuard::Loops(*loops);
      EXPECT_LT(LargestDifference(RmsNorm(x, weight, 1e-5), expected), 1e-5) << loops->name << " " << width;
    }
  }
}

TEST(RmsNorm, ZerosStayZeros) {
  for (const SimdLoops* loops : RunnableLoops()) {
    const auto form = KernelFormGuard::Loops(*loops);
    EXPECT_EQ(RmsNorm(at::full({1, 20}, 0.0f), at::ones({20}), 1e-5).abs().max().item<float>(), 0.0f)
        << loops->name;
  }
}

TEST(SwiGlu, EveryFormAgreesWithAtenOverTheWholeRange) {
  // Far outside of what exp can represent, too: silu(-200) is 0, silu(200) is 200.
  const at::Tensor gate = at::cat({at::linspace(-200, 200, 4001), Noise({30}, 1)}).unsqueeze(0);
  const at::Tensor up = Noise({1, gate.size(1)}, 2);
  const at::Tensor expected = [&] {
    const auto form = KernelFormGuard::Aten();
    return SwiGlu(gate, up);
  }();
  for (const SimdLoops* loops : RunnableLoops()) {
    const auto form = KernelFormGuard::Loops(*loops);
    const at::Tensor tolerance = expected.abs() * 1e-6 + 1e-6;
    EXPECT_TRUE(((SwiGlu(gate, up) - expected).abs() <= tolerance).all().item<bool>()) << loops->name;
  }
}

TEST(Rotate, EveryFormAgreesWithAten) {
  const RotaryTable table = MakeRotaryTable(600, 12, 10000.0, at::kCPU);
  const std::vector<int64_t> positions = {0, 1, 77, 599};
  const at::Tensor x = Noise({4, 3, 12}, 1);
  at::Tensor expected = x.clone();
  at::Tensor actual = x.clone();
  {
    const auto form = KernelFormGuard::Aten();
    Rotate(table, positions, &expected);
  }
  Rotate(table, positions, &actual);
  EXPECT_LT(LargestDifference(actual, expected), 1e-6);
  EXPECT_TRUE(actual[0].equal(x[0])) << "position 0 is not rotated";
}

// What makes the encoding relative: the product of two rotated vectors depends on their distance alone.
TEST(Rotate, ProductsDependOnTheDistance) {
  const RotaryTable table = MakeRotaryTable(600, 64, 10000.0, at::kCPU);
  const at::Tensor q = Noise({1, 1, 64}, 1);
  const at::Tensor k = Noise({1, 1, 64}, 2);
  const auto product = [&](int64_t at_q, int64_t at_k) {
    at::Tensor a = q.clone(), b = k.clone();
    Rotate(table, {at_q}, &a);
    Rotate(table, {at_k}, &b);
    return (a * b).sum().item<double>();
  };
  EXPECT_NEAR(product(7, 3), product(504, 500), 1e-3);
  EXPECT_GT(std::abs(product(7, 3) - product(7, 6)), 1e-2);
}

TEST(AddEmbedding, EveryFormAddsTheNamedRows) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor table = Noise({9, 21}, 1).to(type);
    at::Tensor x = Noise({4, 21}, 2);
    at::Tensor y = x.clone();
    const at::Tensor expected = x[3] + table[8].to(at::kFloat);
    AddEmbedding(table, {1, 3}, {0, 8}, &x);
    EXPECT_LT(LargestDifference(x[3], expected), 1e-6);
    const auto form = KernelFormGuard::Aten();
    AddEmbedding(table, {1, 3}, {0, 8}, &y);
    EXPECT_LT(LargestDifference(x, y), 1e-6);
  }
}

TEST(AddEmbedding, RefusesIdsAndRowsOutOfRange) {
  const at::Tensor table = Noise({9, 4}, 1);
  at::Tensor x = Noise({2, 4}, 2);
  EXPECT_THROW(AddEmbedding(table, {0}, {9}, &x), c10::Error);
  EXPECT_THROW(AddEmbedding(table, {0}, {-1}, &x), c10::Error);
  EXPECT_THROW(AddEmbedding(table, {2}, {0}, &x), c10::Error);
  EXPECT_THROW(AddEmbedding(table, {0, 1}, {0}, &x), c10::Error);
}

}  // namespace
}  // namespace antiphon
