#include "conversation/frame_gate.h"

#include <gtest/gtest.h>

#include <numeric>

namespace antiphon {
namespace {

constexpr int kFrameSamples = 8;
constexpr int kRing = 3;

TimePoint At(int ms) { return TimePoint{} + std::chrono::milliseconds(ms); }

// A stream whose samples are their own numbers.
class FrameGateTest : public testing::Test {
 protected:
  std::vector<GatedFrame> Push(int count, int ms) {
    std::vector<float> samples(count);
    std::iota(samples.begin(), samples.end(), static_cast<float>(next_));
    next_ += count;
    return gate_.Push(samples, At(ms));
  }

  static void ExpectFrame(const GatedFrame& frame, uint64_t first) {
    EXPECT_EQ(frame.first_sample, first);
    ASSERT_EQ(frame.samples.size(), static_cast<size_t>(kFrameSamples));
    EXPECT_EQ(frame.samples.front(), static_cast<float>(first));
    EXPECT_EQ(frame.samples.back(), static_cast<float>(first + kFrameSamples - 1));
  }

  FrameGate gate_{kFrameSamples, kRing};
  int next_ = 0;
};

TEST_F(FrameGateTest, PassesNothingWhileClosed) { EXPECT_TRUE(Push(100, 0).empty()); }

TEST_F(FrameGateTest, OpensFromTheFrameThatHoldsTheSample) {
  Push(30, 0);  // frames 0, 8, 16 whole; 24.. begun
  const auto released = gate_.Open(15);
  ASSERT_EQ(released.size(), 2u);
  ExpectFrame(released[0], 8);
  ExpectFrame(released[1], 16);
  const auto passed = Push(3, 5);
  ASSERT_EQ(passed.size(), 1u);
  ExpectFrame(passed[0], 24);
}

TEST_F(FrameGateTest, ForgetsWhatTheRingCannotHold) {
  Push(5 * kFrameSamples, 0);
  const auto released = gate_.Open(0);
  ASSERT_EQ(released.size(), static_cast<size_t>(kRing));
  ExpectFrame(released[0], 16);
}

TEST_F(FrameGateTest, DatesAFrameByItsLastSample) {
  gate_.Open(0);
  EXPECT_TRUE(Push(7, 10).empty());
  const auto passed = Push(10, 20);
  ASSERT_EQ(passed.size(), 2u);
  EXPECT_EQ(passed[0].received, At(20));
}

TEST_F(FrameGateTest, FlushesTheFrameBegunWithSilence) {
  gate_.Open(0);
  Push(11, 7);
  const auto flushed = gate_.Flush();
  ASSERT_TRUE(flushed);
  EXPECT_EQ(flushed->first_sample, 8u);
  EXPECT_EQ(flushed->received, At(7));
  EXPECT_EQ(flushed->samples, (std::vector<float>{8, 9, 10, 0, 0, 0, 0, 0}));
  EXPECT_FALSE(gate_.Flush()) << "nothing is begun";
}

TEST_F(FrameGateTest, FlushesNothingWhileClosed) {
  Push(3, 0);
  EXPECT_FALSE(gate_.Flush());
}

TEST_F(FrameGateTest, ResetForgetsAndBeginsAFrame) {
  gate_.Open(0);
  Push(3, 0);
  gate_.Reset(next_);
  EXPECT_FALSE(gate_.is_open());
  Push(8, 1);
  const auto released = gate_.Open(0);
  ASSERT_EQ(released.size(), 1u);
  ExpectFrame(released[0], 3);
}

}  // namespace
}  // namespace antiphon
