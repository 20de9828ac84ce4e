#include "media/reorder_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace antiphon {
namespace {

using Arrival = ReorderBuffer::Arrival;

constexpr TimePoint At(int ms) { return TimePoint{} + std::chrono::milliseconds(1000 + ms); }

// A buffer whose packets hold their numbers.
class ReorderBufferTest : public testing::Test {
 protected:
  Arrival Push(uint32_t number, TimePoint received = At(0)) {
    return buffer_.Push(number, std::to_string(number), received);
  }
  // The numbers that come out.
  std::vector<uint32_t> Pop(TimePoint now = At(0), TimePoint ready = {}) {
    std::vector<uint32_t> numbers;
    while (const auto released = buffer_.Pop(now, ready)) {
      numbers.push_back(static_cast<uint32_t>(std::stoul(released->packet)));
      lost_ += released->lost;
    }
    return numbers;
  }
  void Start(uint32_t number) {
    EXPECT_EQ(Push(number), Arrival::kTaken);
    EXPECT_EQ(Pop(), std::vector{number});
  }

  ReorderBuffer buffer_;
  uint32_t lost_ = 0;
};

using Numbers = std::vector<uint32_t>;

TEST_F(ReorderBufferTest, APacketWhoseTurnHasComeWaitsForNothing) {
  for (const uint32_t number : {7u, 8u, 9u}) Start(number);
  EXPECT_TRUE(buffer_.empty());
  EXPECT_EQ(buffer_.Distance(10), 0);
  EXPECT_EQ(lost_, 0u);
}

// 6! orders, of which each needs at most the 5 places there are; across the end of the numbers too.
TEST_F(ReorderBufferTest, EveryOrderOfSixPacketsIsUndone) {
  for (const uint32_t start : {100u, UINT32_MAX - 3}) {
    Numbers in_order;
    for (uint32_t i = 1; i <= 6; ++i) in_order.push_back(start + i);
    std::vector<int> order = {0, 1, 2, 3, 4, 5};
    do {
      buffer_.Reset();
      Start(start);
      Numbers out;
      for (const int i : order) {
        EXPECT_EQ(Push(in_order[static_cast<size_t>(i)]), Arrival::kTaken);
        for (const uint32_t number : Pop()) out.push_back(number);
      }
      ASSERT_EQ(out, in_order) << testing::PrintToString(order);
      EXPECT_TRUE(buffer_.empty());
    } while (std::ranges::next_permutation(order).found);
  }
  EXPECT_EQ(lost_, 0u);
}

TEST_F(ReorderBufferTest, WhatSixPacketsWaitForIsLost) {
  Start(0);
  for (uint32_t number = 2; number <= 6; ++number) {
    Push(number);
    EXPECT_EQ(Pop(), Numbers{});
  }
  Push(7);
  EXPECT_EQ(Pop(), (Numbers{2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(lost_, 1u);
  EXPECT_EQ(Push(1), Arrival::kLate);
  EXPECT_EQ(Pop(), Numbers{});
}

TEST_F(ReorderBufferTest, AGapBehindAGapGoesOnWaiting) {
  Start(0);
  for (const uint32_t number : {2u, 3u, 5u, 6u, 7u}) Push(number);
  EXPECT_EQ(Pop(), Numbers{});
  Push(8);
  EXPECT_EQ(Pop(), (Numbers{2, 3}));
  EXPECT_EQ(lost_, 1u);
  Push(4);
  EXPECT_EQ(Pop(), (Numbers{4, 5, 6, 7, 8}));
  EXPECT_EQ(lost_, 1u);
}

TEST_F(ReorderBufferTest, NothingWaitsLongerThan100Ms) {
  Start(0);
  Push(2, At(20));
  Push(3, At(40));
  EXPECT_EQ(Pop(At(119)), Numbers{});
  EXPECT_EQ(Pop(At(120)), (Numbers{2, 3}));
  EXPECT_EQ(lost_, 1u);
  // What came first may be behind: it is the longest wait that counts.
  Push(6, At(200));
  Push(5, At(290));
  EXPECT_EQ(Pop(At(299)), Numbers{});
  EXPECT_EQ(Pop(At(300)), (Numbers{5, 6}));
}

TEST_F(ReorderBufferTest, AWaitCountsFromWhenMoreCouldHaveCome) {
  Start(0);
  Push(2, At(0));
  EXPECT_EQ(Pop(At(5000), At(4950)), Numbers{});
  EXPECT_EQ(Pop(At(5050), At(4950)), Numbers{2});
}

TEST_F(ReorderBufferTest, TellsDuplicatesFromLateOnes) {
  Start(10);
  Push(12);
  EXPECT_EQ(Push(12), Arrival::kDuplicate) << "it waits";
  EXPECT_EQ(Push(10), Arrival::kDuplicate) << "it is out";
  EXPECT_EQ(Push(9), Arrival::kLate) << "it never came";
  EXPECT_EQ(buffer_.PopAny()->lost, 1u);
  EXPECT_EQ(Push(11), Arrival::kLate);
  EXPECT_EQ(Push(12), Arrival::kDuplicate);
  for (uint32_t number = 13; number <= 12 + 97; ++number) Start(number);
  EXPECT_EQ(Push(10), Arrival::kDuplicate) << "100 numbers are remembered";
  EXPECT_EQ(Push(11), Arrival::kLate);
}

TEST_F(ReorderBufferTest, PopAnyEmptiesItInOrder) {
  Start(0);
  for (const uint32_t number : {5u, 2u, 3u}) Push(number);
  EXPECT_EQ(buffer_.PopAny()->lost, 1u);
  EXPECT_EQ(buffer_.PopAny()->lost, 0u);
  EXPECT_EQ(buffer_.PopAny()->lost, 1u);
  EXPECT_FALSE(buffer_.PopAny());
  EXPECT_EQ(buffer_.Distance(6), 0);
}

TEST_F(ReorderBufferTest, NumbersFarAwayAreOfAnotherCount) {
  Start(1000);
  EXPECT_EQ(Push(1101), Arrival::kTaken) << "100 from the one whose turn it is";
  EXPECT_EQ(Push(1102), Arrival::kTooFar);
  EXPECT_EQ(Push(901), Arrival::kLate);
  EXPECT_EQ(Push(900), Arrival::kTooFar);
  for (const uint32_t number : {0u, 1001u + (1u << 31), UINT32_MAX}) {
    EXPECT_EQ(Push(number), Arrival::kTooFar) << number;
  }
  EXPECT_EQ(Push(1001), Arrival::kTaken) << "and nothing has changed";
  EXPECT_EQ(Pop(), Numbers{1001});
}

TEST_F(ReorderBufferTest, TwoPacketsInARowBeginANewCount) {
  Start(1000);
  EXPECT_EQ(Push(5), Arrival::kTooFar);
  EXPECT_EQ(Push(1001), Arrival::kTaken) << "the old count goes on";
  EXPECT_EQ(Push(6), Arrival::kTooFar);
  EXPECT_EQ(Push(6), Arrival::kTooFar) << "the same again is no count";
  EXPECT_EQ(Push(7), Arrival::kNewCount);
  buffer_.Reset();
  Start(7);
  EXPECT_EQ(Push(1002), Arrival::kTooFar);
}

TEST_F(ReorderBufferTest, HostileNumbersDoNoHarm) {
  std::mt19937 random(3);
  Start(0);
  uint32_t due = 1;
  for (int round = 0; round < 100'000; ++round) {
    const uint32_t wild = random();
    const uint32_t number = round % 7 == 0 ? wild : due + wild % 240 - 120;
    const int ms = round / 10;
    if (buffer_.Push(number, std::to_string(number), At(ms)) == Arrival::kNewCount) {
      buffer_.Reset();
      due = number;
      ASSERT_EQ(buffer_.Push(number, std::to_string(number), At(ms)), Arrival::kTaken);
    }
    size_t out = 0;
    while (const auto released = buffer_.Pop(At(ms), {})) {
      due += released->lost + 1;
      ASSERT_EQ(released->packet, std::to_string(due - 1));
      ASSERT_LE(released->lost, static_cast<uint32_t>(ReorderBuffer::kMaxDistance));
      ++out;
    }
    ASSERT_LE(out, ReorderBuffer::kMaxHeld + 1);
  }
}

}  // namespace
}  // namespace antiphon
