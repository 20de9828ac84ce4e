#include "common/clock.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

using std::chrono::milliseconds;

TEST(SystemClockTest, NeverGoesBackAndSleepsLongEnough) {
  SystemClock& clock = SystemClock::Get();
  const TimePoint start = clock.Now();
  clock.SleepFor(milliseconds(5));
  const TimePoint end = clock.Now();
  EXPECT_GE(end - start, milliseconds(5));
  clock.SleepUntil(start);  // in the past: returns
  EXPECT_GE(clock.Now(), end);
}

TEST(ManualClockTest, MovesOnlyWhenTold) {
  ManualClock clock;
  const TimePoint start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(milliseconds(20));
  EXPECT_EQ(clock.Now() - start, milliseconds(20));
}

TEST(ManualClockTest, SleepingMovesItToTheDeadlineAndNeverBack) {
  ManualClock clock;
  const TimePoint start = clock.Now();
  clock.SleepFor(milliseconds(30));
  EXPECT_EQ(clock.Now() - start, milliseconds(30));
  clock.SleepUntil(start + milliseconds(10));
  EXPECT_EQ(clock.Now() - start, milliseconds(30));
}

TEST(ManualClockTest, StartsWhereItIsTold) {
  const TimePoint start{milliseconds(1000)};
  EXPECT_EQ(ManualClock(start).Now(), start);
}

TEST(ClockTest, MillisecondsKeepsFractions) { EXPECT_DOUBLE_EQ(Milliseconds(Nanoseconds(1'500'000)), 1.5); }

}  // namespace
}  // namespace antiphon
