// Products with int8 weights: every form against plain ATen, and against one another to the bit.
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/linear.h"
#include "tests/kernels/forms.h"

namespace antiphon {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

at::Tensor Product(const Int8Loops& loops, const at::Tensor& x, const WeightMatrix& weight) {
  const auto form = KernelFormGuard::Loops(loops);
  return Linear(x, weight);
}

at::Tensor AtenProduct(const at::Tensor& x, const WeightMatrix& weight) {
  const auto form = KernelFormGuard::Aten();
  return Linear(x, weight);
}

// What rounding x to 16 bits can change: half a step of each number's block times its weight. [n, out]
at::Tensor RoundingBound(const at::Tensor& x, const WeightMatrix& weight) {
  const at::Tensor weights = ToFloat(weight).abs();
  at::Tensor bound = at::zeros({x.size(0), weight.out()});
  for (int64_t i = 0; i < weight.in(); i += kInt8Block) {
    const int64_t count = std::min(kInt8Block, weight.in() - i);
    const at::Tensor half_step = x.narrow(1, i, count).abs().amax(1, /*keepdim=*/true) / (2 * 32767.0);
    bound += half_step * weights.narrow(1, i, count).sum(1).unsqueeze(0);
  }
  return bound;
}

struct Shape {
  int64_t rows, in, out;
};

// The edges of vectors and blocks, Wren's matrices, and random ones.
std::vector<Shape> Shapes() {
  std::vector<Shape> shapes = {{1, 1, 1},    {3, 15, 2},    {4, 16, 8},    {5, 17, 9},   {2, 31, 3},
                               {6, 32, 17},  {7, 33, 12},   {1, 511, 4},   {4, 512, 5},  {9, 513, 6},
                               {2, 1024, 7}, {3, 1041, 11}, {1, 256, 768}, {5, 768, 256}};
  std::mt19937 random(7);
  for (int i = 0; i < 80; ++i) {
    const auto below = [&](uint32_t limit) { return static_cast<int64_t>(1 + random() % limit); };
    shapes.push_back({below(i < 60 ? 40 : 150), below(1700), below(90)});
  }
  return shapes;
}

TEST(Int8Linear, EveryFormAgreesWithAtenAndWithTheOthersToTheBit) {
  uint64_t seed = 0;
  for (const Shape& shape : Shapes()) {
    const std::string what = std::to_string(shape.rows) + " rows of " + std::to_string(shape.in) + ", " +
                             std::to_string(shape.out) + " outputs";
    const WeightMatrix weight = QuantizeRows(Noise({shape.out, shape.in}, ++seed));
    // Numbers of very different size, as behind a gated MLP.
    const at::Tensor sizes = Noise({shape.rows, shape.in}, ++seed).exp();
    const at::Tensor x = Noise({shape.rows, shape.in}, ++seed) * sizes;
    const at::Tensor expected = AtenProduct(x, weight);
    const at::Tensor tolerance = RoundingBound(x, weight) + x.abs().amax() * 1e-5 * std::sqrt(shape.in);
    const at::Tensor portable = Product(PortableInt8Loops(), x, weight);
    EXPECT_TRUE(((portable - expected).abs() <= tolerance).all().item<bool>()) << what;
    for (const Int8Loops* loops : RunnableInt8Loops()) {
      EXPECT_TRUE(Product(*loops, x, weight).equal(portable)) << loops->name << ": " << what;
    }
  }
}

// Integers that reach 32767 in each block are their own 16-bit form, so the product is the exact sum, rounded
// to a float once a block.
TEST(Int8Linear, SumsOfABlockAreExact) {
  const at::Tensor values = at::randint(-128, 128, {40, 512}, at::kInt);
  at::Tensor x = at::randint(-32767, 32768, {6, 512}, at::kInt);
  x.select(1, 100).fill_(-32767);
  const at::Tensor expected = x.to(at::kLong).matmul(values.to(at::kLong).t()).to(at::kFloat);
  const WeightMatrix weight(values.to(at::kChar), at::ones({40}));
  for (const Int8Loops* loops : RunnableInt8Loops()) {
    EXPECT_TRUE(Product(*loops, x.to(at::kFloat), weight).equal(expected)) << loops->name;
  }
}

// -128 is no value that QuantizeRows writes, but a file may hold it.
TEST(Int8Linear, TheLargestSumsDoNotOverflow) {
  for (const int64_t in : {512, 513, 2048}) {
    for (const int value : {127, -127, -128}) {
      for (const float sign : {1.0f, -1.0f}) {
        const WeightMatrix weight(at::full({9, in}, value, at::kChar), at::ones({9}));
        const at::Tensor x = at::full({5, in}, sign * 32767.0f);
        const double expected = static_cast<double>(in) * value * sign * 32767.0;
        for (const Int8Loops* loops : RunnableInt8Loops()) {
          const at::Tensor product = Product(*loops, x, weight);
          EXPECT_LE((product - expected).abs().max().item<double>(), std::abs(expected) * 1e-6)
              << loops->name << " " << in << " x " << value;
        }
      }
    }
  }
}

TEST(Int8Linear, ARowDoesNotDependOnItsBatch) {
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{768, 256}, {41, 600}, {13, 37}, {1, 1}}) {
    const WeightMatrix weight = QuantizeRows(Noise({out, in}, 1));
    const at::Tensor x = Noise({19, in}, 2);
    for (const Int8Loops* loops : RunnableInt8Loops()) {
      const at::Tensor all = Product(*loops, x, weight);
      for (int64_t first = 0; first < 6; ++first) {
        for (int64_t rows = 1; rows <= 13; ++rows) {
          EXPECT_TRUE(Product(*loops, x.narrow(0, first, rows), weight).equal(all.narrow(0, first, rows)))
              << loops->name << " " << out << " x " << in << ", rows " << first << " to " << first + rows;
        }
      }
    }
  }
}

TEST(Int8Linear, AddsToWhatIsThere) {
  const WeightMatrix weight = QuantizeRows(Noise({40, 33}, 1));
  const at::Tensor x = Noise({5, 33}, 2);
  const at::Tensor before = Noise({5, 40}, 3);
  for (const Int8Loops* loops : RunnableInt8Loops()) {
    const auto form = KernelFormGuard::Loops(*loops);
    at::Tensor sum = before.clone();
    AddLinear(x, weight, &sum);
    EXPECT_TRUE(sum.equal(before + Linear(x, weight))) << loops->name;
  }
}

TEST(Int8Linear, ZerosStayZeros) {
  const WeightMatrix weight = QuantizeRows(Noise({12, 40}, 1));
  const WeightMatrix nothing = QuantizeRows(at::zeros({12, 40}));
  for (const Int8Loops* loops : RunnableInt8Loops()) {
    EXPECT_EQ(Product(*loops, at::zeros({5, 40}), weight).abs().max().item<float>(), 0.0f) << loops->name;
    EXPECT_EQ(Product(*loops, Noise({5, 40}, 2), nothing).abs().max().item<float>(), 0.0f) << loops->name;
    EXPECT_EQ(Product(*loops, at::zeros({0, 40}), weight).sizes(), (std::vector<int64_t>{0, 12}));
  }
}

// An outlier costs precision in its own block of 512 only: with one step for the whole row the numbers of the
// second block would all become 0 here.
TEST(Int8Linear, AnOutlierLeavesOtherBlocksAlone) {
  const WeightMatrix weight = QuantizeRows(Noise({8, 1024}, 1));
  at::Tensor ordinary = Noise({1, 1024}, 2);
  ordinary.narrow(1, 0, 512).zero_();
  at::Tensor outlier = at::zeros({1, 1024});
  outlier[0][3] = 1e6f;
  for (const Int8Loops* loops : RunnableInt8Loops()) {
    const at::Tensor expected = Product(*loops, ordinary, weight);
    const at::Tensor beside = Product(*loops, ordinary + outlier, weight) - Product(*loops, outlier, weight);
    EXPECT_GT(expected.abs().max().item<float>(), 10.0f);
    EXPECT_LT(LargestDifference(beside, expected), 1.0) << loops->name;  // an ulp of the sum is 0.25
  }
}

TEST(Int8Linear, WhatIsNotFiniteSpoilsItsOwnRowOnly) {
  const WeightMatrix weight = QuantizeRows(Noise({20, 700}, 1));
  const at::Tensor good = Noise({9, 700}, 2);
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    for (const int64_t at : {0, 511, 512, 699}) {
      at::Tensor x = good.clone();
      x[4][at] = bad;
      for (const Int8Loops* loops : RunnableInt8Loops()) {
        const at::Tensor product = Product(*loops, x, weight);
        EXPECT_TRUE(product[4].isnan().all().item<bool>()) << loops->name;
        const at::Tensor expected = Product(*loops, good, weight);
        EXPECT_TRUE(product.narrow(0, 0, 4).equal(expected.narrow(0, 0, 4))) << loops->name;
        EXPECT_TRUE(product.narrow(0, 5, 4).equal(expected.narrow(0, 5, 4))) << loops->name;
      }
    }
  }
}

TEST(Int8Linear, HugeAndTinyNumbersBehave) {
  const WeightMatrix weight = QuantizeRows(Noise({20, 100}, 1));
  const at::Tensor x = Noise({3, 100}, 2);
  const at::Tensor expected = AtenProduct(x, weight);
  for (const Int8Loops* loops : RunnableInt8Loops()) {
    for (const float size : {1e30f, 1e-25f}) {
      EXPECT_TRUE((Product(*loops, x * size, weight) / size).allclose(expected, 1e-3, 5e-3)) << size;
    }
    EXPECT_EQ(Product(*loops, x * 1e-40f, weight).abs().max().item<float>(), 0.0f) << loops->name;
    // Sums beyond the range are infinite, as in float arithmetic.
    const WeightMatrix ones(at::ones({1, 100}, at::kChar), at::ones({1}));
    EXPECT_EQ(Product(*loops, at::full({1, 100}, 3e38f), ones).item<float>(), kInfinity) << loops->name;
  }
}

TEST(Int8Linear, RefusesWhatDoesNotFit) {
  const WeightMatrix weight = QuantizeRows(Noise({4, 5}, 1));
  EXPECT_THROW(Linear(Noise({2, 3}, 1), weight), c10::Error);
  EXPECT_THROW(Linear(Noise({2, 5}, 1), WeightMatrix(weight.values, at::ones({3}))), c10::Error);
  EXPECT_THROW(Linear(Noise({2, 5}, 1), WeightMatrix(weight.values, at::ones({4}, at::kDouble))), c10::Error);
  EXPECT_THROW(Linear(Noise({2, 5}, 1), WeightMatrix(Noise({4, 5}, 1), at::ones({4}))), c10::Error);
}

}  // namespace
}  // namespace antiphon
