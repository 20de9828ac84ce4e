#include "engine/cost_model.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Every stage costs 4 ms plus `per_row` a unit.
StepCost Cost(microseconds per_unit) {
  StepCost cost;
  for (const int units : {1, 2, 4, 8, 1, 2, 4, 8}) {
    const Nanoseconds took = milliseconds(4) + units * per_unit;
    cost.Learn({units, units, units}, {took, took, took});
  }
  return cost;
}

TEST(CostModelTest, LearnsALine) {
  const StepCost cost = Cost(microseconds(500));
  EXPECT_NEAR(Milliseconds(cost.Predict({16, 0, 0})), 12.0, 0.1);
  EXPECT_NEAR(Milliseconds(cost.Predict({1, 2, 0})), 4.5 + 5.0, 0.1);
  EXPECT_EQ(cost.Predict({}), Nanoseconds::zero());
}

TEST(CostModelTest, OneSizeOnlyIsTakenAsProportional) {
  StageCost cost;
  for (int i = 0; i < 5; ++i) cost.Learn(2, milliseconds(6));
  EXPECT_EQ(cost.Predict(2), Nanoseconds(milliseconds(6)));
  EXPECT_EQ(cost.Predict(4), Nanoseconds(milliseconds(12)));
}

TEST(CostModelTest, RemembersTheSlopeWhileOnlyOneSizeIsSeen) {
  StageCost cost;
  for (const int units : {1, 2, 4, 8}) cost.Learn(units, milliseconds(5) + units * microseconds(500));
  for (int i = 0; i < 500; ++i) cost.Learn(1, microseconds(5500));
  EXPECT_NEAR(Milliseconds(cost.Predict(9)), 9.5, 0.1);
}

TEST(CostModelTest, ATrialOfAllSizesKeepsASayInTheSlope) {
  StageCost cost, without;
  for (const int units : {1, 2, 4, 8, 16}) cost.Learn(units, milliseconds(5) + units * microseconds(500));
  without = cost;
  cost.Settle();
  // One row and two, in steps whose noise is greater than what a row costs.
  for (int i = 0; i < 500; ++i) {
    for (StageCost* each : {&cost, &without}) each->Learn(1 + i % 2, microseconds(i % 2 == 0 ? 5200 : 6800));
  }
  EXPECT_GT(Milliseconds(without.Predict(16)), 25.0);
  EXPECT_NEAR(Milliseconds(cost.Predict(16)), 13.0, 2.0);
  EXPECT_NEAR(Milliseconds(cost.Predict(1)) + Milliseconds(cost.Predict(2)), 12.0, 0.3)
      << "what is, is believed";
}

TEST(CostModelTest, AMachineThatSlowsDownAfterTheTrialIsFollowed) {
  StageCost cost;
  for (const int units : {1, 2, 4, 8, 16}) cost.Learn(units, milliseconds(5) + units * microseconds(500));
  cost.Settle();
  for (int i = 0; i < 500; ++i) {
    const int units = 1 + i % 8;
    cost.Learn(units, milliseconds(15) + units * microseconds(1500));
  }
  EXPECT_NEAR(Milliseconds(cost.Predict(4)), 21.0, 1.0);
  EXPECT_NEAR(Milliseconds(cost.Predict(16)), 39.0, 10.0);
}

TEST(CostModelTest, FollowsAMachineThatSlowsDownButNotASingleSpike) {
  StageCost cost;
  for (int i = 0; i < 50; ++i) cost.Learn(1, milliseconds(4));
  cost.Learn(1, milliseconds(400));
  EXPECT_LT(cost.Predict(1), milliseconds(5));
  for (int i = 0; i < 200; ++i) cost.Learn(1, milliseconds(9));
  EXPECT_NEAR(Milliseconds(cost.Predict(1)), 9.0, 0.5);
}

TEST(CostModelTest, NeverPredictsLessForMore) {
  StageCost cost;
  cost.Learn(1, milliseconds(9));
  cost.Learn(8, milliseconds(3));
  for (int units = 1; units < 20; ++units) EXPECT_GE(cost.Predict(units + 1), cost.Predict(units));
}

TEST(CostModelTest, WhatIsAttendedIsTheSumOverTheRows) {
  EXPECT_EQ(AttendedBy(1, 0), 1);
  EXPECT_EQ(AttendedBy(1, 99), 100);
  EXPECT_EQ(AttendedBy(3, 10), 11 + 12 + 13);
  EXPECT_EQ(AttendedBy(2, 10) + AttendedBy(1, 12), AttendedBy(3, 10));
}

// 3 ms, 500 us a row and 1 us a position that is read.
Nanoseconds Took(int64_t rows, int64_t attended) {
  return milliseconds(3) + rows * microseconds(500) + attended * microseconds(1);
}

TEST(CostModelTest, TellsRowsFromContexts) {
  StageCost cost;
  for (int i = 0; i < 40; ++i) {
    for (const int rows : {1, 2, 3, 4}) {
      const int64_t attended = rows * int64_t{100 + 37 * ((i + rows) % 20)};
      cost.Learn(rows, Took(rows, attended), attended);
    }
  }
  EXPECT_NEAR(Milliseconds(cost.Predict(8, 8 * 300)), Milliseconds(Took(8, 8 * 300)), 0.2);
  EXPECT_NEAR(Milliseconds(cost.Predict(2, 2 * 4000)), Milliseconds(Took(2, 2 * 4000)), 0.2);
}

TEST(CostModelTest, FollowsAContextThatGrows) {
  StageCost cost;
  for (const int rows : {1, 2, 4, 1, 2, 4}) cost.Learn(rows, Took(rows, rows * 10), rows * 10);
  // One conversation alone, position by position.
  for (int context = 10; context < 3000; ++context) cost.Learn(1, Took(1, context), context);
  EXPECT_NEAR(Milliseconds(cost.Predict(1, 3000)), 6.5, 0.1);
  EXPECT_NEAR(Milliseconds(cost.Predict(1, 4000)), 7.5, 0.3);
}

TEST(CostModelTest, KeepsWhatItKnowsOfContextsWhileTheyAreAlike) {
  StageCost cost;
  for (int i = 0; i < 40; ++i) {
    for (const int rows : {1, 2, 4}) {
      const int64_t attended = rows * int64_t{i % 2 == 0 ? 100 : 2000};
      cost.Learn(rows, Took(rows, attended), attended);
    }
  }
  for (int i = 0; i < 500; ++i) {
    for (const int rows : {1, 2, 4}) cost.Learn(rows, Took(rows, rows * 500), rows * 500);
  }
  EXPECT_NEAR(Milliseconds(cost.Predict(2, 2 * 3000)), Milliseconds(Took(2, 2 * 3000)), 0.3);
}

// Measurements with a tenth of noise and an outlier of ten times now and then: good for what is asked of it.
TEST(CostModelTest, NoiseAndOutliersDoNotLeadItAstray) {
  StageCost cost;
  uint64_t random = 7;
  const auto uniform = [&random] {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(random >> 33) / static_cast<double>(uint64_t{1} << 31);
  };
  for (int i = 0; i < 3000; ++i) {
    const auto rows = 1 + static_cast<int64_t>(8 * uniform());
    const auto attended = rows * static_cast<int64_t>(100 + 900 * uniform());
    double factor = 0.9 + 0.2 * uniform();
    if (i % 97 == 0) factor = 10;
    cost.Learn(rows,
               Nanoseconds(static_cast<int64_t>(factor * static_cast<double>(Took(rows, attended).count()))),
               attended);
    if (i < 200 || i % 97 < 20) continue;
    EXPECT_NEAR(Milliseconds(cost.Predict(6, 6 * 500)), Milliseconds(Took(6, 6 * 500)), 1.5) << i;
  }
}

TEST(CostModelTest, NeverPredictsLessForMoreContext) {
  StageCost cost;
  cost.Learn(1, milliseconds(9), 1000);
  cost.Learn(2, milliseconds(8), 5000);
  cost.Learn(8, milliseconds(3), 100);
  for (int attended = 0; attended < 20000; attended += 1000) {
    EXPECT_GE(cost.Predict(3, attended + 1000), cost.Predict(3, attended));
    EXPECT_GE(cost.Predict(4, attended), cost.Predict(3, attended));
    EXPECT_GE(cost.Predict(1, attended), Nanoseconds::zero());
  }
}

TEST(CostModelTest, HeadroomIsWhatPredictionsAreOffBy) {
  StepCost cost;
  EXPECT_EQ(cost.headroom(), 1);
  for (int i = 0; i < 300; ++i) cost.Learn({1, 1, 1}, {milliseconds(1), milliseconds(2), milliseconds(1)});
  EXPECT_NEAR(cost.headroom(), 1, 0.01);
  for (int i = 0; i < 300; ++i) {
    const Nanoseconds took = milliseconds(i % 2 == 0 ? 1 : 3);
    cost.Learn({1, 1, 1}, {took, took, took});
  }
  EXPECT_EQ(cost.headroom(), 1.5) << "no more than that";
}

}  // namespace
}  // namespace antiphon
