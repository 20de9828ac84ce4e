#include "common/clock.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

using std::chrono::milliseconds;

TEST(SystemClockTest, NeverGoesBackAndSleepsLongEnough) {
  SystemClock& clock = SystemClock::Get();
  const TimePoint start = clock.Now();
  clock.SleepUntil(start + milliseconds(5));
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
  clock.SleepUntil(start + milliseconds(30));
  EXPECT_EQ(clock.Now() - start, milliseconds(30));
  clock.SleepUntil(start + milliseconds(10));
  EXPECT_EQ(clock.Now() - start, milliseconds(30));
}

TEST(ClockTest, SamplesOfAnyNumberLastTheirTime) {
  EXPECT_EQ(DurationOf(0, 16000), Nanoseconds(0));
  EXPECT_EQ(DurationOf(24, 24000), milliseconds(1));
  EXPECT_EQ(DurationOf(1, 48000), Nanoseconds(20'833));
  EXPECT_EQ(DurationOf((uint64_t{1} << 40) - 1, 8000) / std::chrono::seconds(1), (int64_t{1} << 40) / 8000);
}

TEST(ManualClockTest, StartsWhereItIsTold) {
  const TimePoint start{milliseconds(1000)};
  EXPECT_EQ(ManualClock(start).Now(), start);
}

TEST(ClockTest, MillisecondsKeepsFractions) { EXPECT_DOUBLE_EQ(Milliseconds(Nanoseconds(1'500'000)), 1.5); }

}  // namespace
}  // namespace antiphon
