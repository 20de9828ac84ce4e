#include "kernels/weight_matrix.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "tests/kernels/forms.h"

namespace antiphon {
namespace {

TEST(QuantizeRows, IsWithinHalfAStepOfEveryWeight) {
  // Rows of very different size.
  const at::Tensor weight = Noise({50, 300}, 1) * Noise({50, 1}, 2).exp();
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor exact = weight.to(type).to(at::kFloat);
    const WeightMatrix quantized = QuantizeRows(weight.to(type));
    ASSERT_TRUE(quantized.is_int8());
    EXPECT_EQ(quantized.values.scalar_type(), at::kChar);
    EXPECT_EQ(quantized.scales.sizes(), (std::vector<int64_t>{50}));
    EXPECT_EQ(quantized.bytes(), 50 * 300 + 50 * 4);
    const at::Tensor half_step = quantized.scales.unsqueeze(1) * 0.5001;
    EXPECT_TRUE(((ToFloat(quantized) - exact).abs() <= half_step).all().item<bool>()) << type;
    const at::Tensor largest = quantized.values.to(at::kInt).abs().amax(1);
    EXPECT_TRUE((largest == 127).all().item<bool>()) << "the whole range is used";
  }
}

TEST(QuantizeRows, ZerosAreExactAndHaveTheScaleZero) {
  at::Tensor weight = Noise({3, 40}, 1);
  weight[1].zero_();
  weight[2].fill_(1e-38);
  const WeightMatrix quantized = QuantizeRows(weight);
  EXPECT_GT(quantized.scales[0].item<float>(), 0.0f);
  for (const int64_t row : {1, 2}) {
    EXPECT_EQ(quantized.scales[row].item<float>(), 0.0f);
    EXPECT_EQ(quantized.values[row].abs().max().item<int>(), 0);
  }
}

TEST(QuantizeRows, TheLargestFloatsStayFinite) {
  const WeightMatrix quantized = QuantizeRows(at::full({1, 2}, 3e38f));
  EXPECT_EQ(quantized.values[0][0].item<int>(), 127);
  EXPECT_TRUE(quantized.scales.isfinite().all().item<bool>());
}

TEST(QuantizeRows, AnInt8MatrixComesBackTheSame) {
  const WeightMatrix once = QuantizeRows(Noise({20, 64}, 1));
  EXPECT_TRUE(QuantizeRows(ToFloat(once)).values.equal(once.values));
}

}  // namespace
}  // namespace antiphon
