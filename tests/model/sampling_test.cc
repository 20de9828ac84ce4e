#include "model/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

namespace antiphon {
namespace {

constexpr int kDraws = 20000;

// How often each index comes up over many positions.
std::map<int64_t, double> Frequencies(const std::vector<float>& logits, const SamplingOptions& options,
                                      const std::vector<uint8_t>& allowed = {},
                                      const std::vector<int64_t>& repeated = {}) {
  std::map<int64_t, double> counts;
  for (int position = 0; position < kDraws; ++position) {
    counts[Draw(logits, allowed, options, repeated, {.position = position, .channel = 0})] += 1.0 / kDraws;
  }
  return counts;
}

TEST(UniformDraw, LiesInTheUnitIntervalAndIsUniform) {
  std::vector<int> buckets(10);
  for (int position = 0; position < kDraws; ++position) {
    const double draw = UniformDraw(7, {.position = position, .channel = 0});
    ASSERT_GE(draw, 0.0);
    ASSERT_LT(draw, 1.0);
    ++buckets[static_cast<int>(draw * 10)];
  }
  for (const int count : buckets) EXPECT_NEAR(count, kDraws / 10, 200);  // 4.7 standard deviations
}

TEST(UniformDraw, IsPhilox) {
  // Known answer of the reference implementation for counter 0 and key 0: 6627e8d5 e169c58d bc57ac4c
  // 9b00dbd8.
  const uint64_t bits = 0x6627e8d5e169c58dull;
  EXPECT_EQ(UniformDraw(0, {.position = 0, .channel = 0}), static_cast<double>(bits >> 11) * 0x1.0p-53);
}

TEST(UniformDraw, DependsOnSeedPositionAndChannel) {
  const double draw = UniformDraw(1, {.position = 2, .channel = 3});
  EXPECT_EQ(draw, UniformDraw(1, {.position = 2, .channel = 3}));
  EXPECT_NE(draw, UniformDraw(2, {.position = 2, .channel = 3}));
  EXPECT_NE(draw, UniformDraw(1, {.position = 3, .channel = 3}));
  EXPECT_NE(draw, UniformDraw(1, {.position = 2, .channel = 4}));
  EXPECT_NE(draw, UniformDraw(1ull << 40 | 1, {.position = 2, .channel = 3}))
      << "all 64 bits of the seed count";
}

TEST(ArgMax, TakesTheFirstOfEqualsAmongTheAllowed) {
  const std::vector<float> logits = {5, 1, 3, 3};
  EXPECT_EQ(ArgMax(logits, {}), 0);
  EXPECT_EQ(ArgMax(logits, std::vector<uint8_t>{0, 1, 1, 1}), 2);
}

TEST(ArgMax, SurvivesNanAndInfinity) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(ArgMax(std::vector<float>{nan, -infinity, 1}, {}), 2);
  EXPECT_EQ(ArgMax(std::vector<float>{nan, nan, nan}, std::vector<uint8_t>{0, 1, 1}), 1);
  EXPECT_EQ(ArgMax(std::vector<float>{-infinity, -infinity}, {}), 0);
}

TEST(Draw, GreedyIsArgMaxWhateverTheSeed) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(Draw(std::vector<float>{0, 2, 1.99f}, {}, {.temperature = 0, .seed = seed}, {}, {}), 1);
  }
}

TEST(Draw, FollowsTheSoftmaxAtItsTemperature) {
  const std::vector<float> logits = {0, 1, 2, -1};
  for (const float temperature : {0.5f, 1.0f, 2.0f}) {
    std::map<int64_t, double> frequencies = Frequencies(logits, {.temperature = temperature, .seed = 3});
    double total = 0;
    for (const float logit : logits) total += std::exp(logit / temperature);
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(frequencies[i], std::exp(logits[i] / temperature) / total, 0.015)
          << i << " at " << temperature;
    }
  }
}

TEST(Draw, TopKKeepsTheKLikeliest) {
  std::map<int64_t, double> frequencies =
      Frequencies({0, 1, 2, -1}, {.temperature = 1, .top_k = 2, .seed = 3});
  EXPECT_EQ(frequencies.size(), 2u);
  EXPECT_NEAR(frequencies[2], std::exp(1.0) / (1 + std::exp(1.0)), 0.015);
  EXPECT_GT(frequencies[1], 0.2);
}

TEST(Draw, TopPKeepsTheSmallestSetThatHoldsIt) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  EXPECT_EQ(Frequencies(logits, {.temperature = 1, .top_p = 0.45f, .seed = 3}).size(), 1u);
  EXPECT_EQ(Frequencies(logits, {.temperature = 1, .top_p = 0.55f, .seed = 3}).size(), 2u);
  std::map<int64_t, double> most = Frequencies(logits, {.temperature = 1, .top_p = 0.9f, .seed = 3});
  EXPECT_EQ(most.size(), 3u);
  EXPECT_NEAR(most[0], 0.5 / 0.95, 0.015);
}

TEST(Draw, NeverTakesWhatIsForbidden) {
  const std::map<int64_t, double> frequencies =
      Frequencies({9, 0, 0, 9}, {.temperature = 1, .seed = 3}, {0, 1, 1, 0});
  EXPECT_EQ(frequencies.count(0), 0u);
  EXPECT_EQ(frequencies.count(3), 0u);
}

TEST(Draw, RepetitionPenaltyMakesWhatWasSaidLessLikely) {
  const std::vector<float> positive = {2.0f, 1.5f};
  EXPECT_EQ(
      Draw(positive, {}, {.temperature = 0, .repetition_penalty = 1.5f}, std::vector<int64_t>{0, 0}, {}), 1);
  EXPECT_EQ(
      Draw(positive, {}, {.temperature = 0, .repetition_penalty = 1.2f}, std::vector<int64_t>{0, 0}, {}), 0)
      << "duplicates count once";
  const std::vector<float> negative = {-1.0f, -1.4f};
  EXPECT_EQ(Draw(negative, {}, {.temperature = 0, .repetition_penalty = 1.5f}, std::vector<int64_t>{0}, {}),
            1);
}

TEST(Draw, SurvivesLogitsThatAreNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Draw(std::vector<float>{nan, nan}, {}, {.temperature = 1}, {}, {}), 0);
  EXPECT_EQ(Draw(std::vector<float>{0, infinity, 0}, {}, {.temperature = 1}, {}, {}), 1);
  EXPECT_EQ(Draw(std::vector<float>{-infinity, -infinity}, {}, {.temperature = 1}, {}, {}), 0);
}

}  // namespace
}  // namespace antiphon
