#include "common/latency_summary.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(LatencySummaryTest, EmptyIsAllZero) {
  const LatencySummary summary;
  EXPECT_EQ(summary.count(), 0u);
  EXPECT_EQ(summary.Mean(), 0.0);
  EXPECT_EQ(summary.Max(), 0.0);
  EXPECT_EQ(summary.Percentile(50), 0.0);
}

TEST(LatencySummaryTest, PercentilesAreNearestRank) {
  LatencySummary summary;
  for (int i = 100; i >= 1; --i) summary.Add(i);
  const struct {
    double percent;
    double value;
  } cases[] = {{0.001, 1}, {1, 1}, {1.5, 2}, {50, 50}, {95, 95}, {99, 99}, {99.5, 100}, {100, 100}};
  for (const auto& c : cases) EXPECT_EQ(summary.Percentile(c.percent), c.value) << c.percent << " %";
  EXPECT_DOUBLE_EQ(summary.Mean(), 50.5);
  EXPECT_EQ(summary.Max(), 100.0);
}

TEST(LatencySummaryTest, OneValueIsEveryPercentile) {
  LatencySummary summary;
  summary.Add(12.5);
  EXPECT_EQ(summary.Percentile(1), 12.5);
  EXPECT_EQ(summary.Percentile(99), 12.5);
}

TEST(LatencySummaryTest, MergedIsTheUnion) {
  LatencySummary left;
  LatencySummary right;
  left.Add(1);
  right.Add(3);
  right.Add(2);
  left.Merge(right);
  EXPECT_EQ(left.count(), 3u);
  EXPECT_EQ(left.Percentile(50), 2.0);
  EXPECT_EQ(left.ToString(), "n 3  mean 2.0  p50 2.0  p95 3.0  p99 3.0  max 3.0 ms");
}

}  // namespace
}  // namespace antiphon
