#include "conversation/arrival_log.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TimePoint At(int ms) { return TimePoint{} + std::chrono::milliseconds(ms); }

TEST(ArrivalLogTest, DatesASampleByThePacketThatHeldIt) {
  ArrivalLog log;
  log.Add(320, At(20));
  log.Add(640, At(45));
  EXPECT_EQ(log.TimeOf(0), At(20));
  EXPECT_EQ(log.TimeOf(319), At(20));
  EXPECT_EQ(log.TimeOf(320), At(45));
  EXPECT_EQ(log.TimeOf(639), At(45));
}

TEST(ArrivalLogTest, DatesWhatItCannotKnowByTheNearestPacket) {
  ArrivalLog log;
  for (int i = 1; i <= 2000; ++i) log.Add(static_cast<uint64_t>(i), At(i));
  EXPECT_EQ(log.TimeOf(5000), At(2000)) << "not there yet";
  EXPECT_EQ(log.TimeOf(0), At(2000 - 512 + 1)) << "forgotten: the log is bounded";
}

}  // namespace
}  // namespace antiphon
