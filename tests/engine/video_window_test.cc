#include "engine/video_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace antiphon {
namespace {

using Moment = VideoWindow::Moment;

// A frame of three symbols that can be told apart.
VideoFrame Frame(int64_t number) { return {.pieces = {number, number, number}, .received = {}}; }
constexpr int64_t kRows = 3;

// The frames that wait, in order; none do afterwards.
std::vector<int64_t> Drained(VideoWindow& window) {
  std::vector<int64_t> numbers;
  while (const VideoFrame* next = window.Next(false)) {
    numbers.push_back(next->pieces.front());
    window.DropFirst();
  }
  return numbers;
}

TEST(VideoWindowTest, OfThoseThatWaitTheNewestAreKept) {
  VideoWindow window;
  for (int64_t i = 1; i <= 5; ++i) window.Add(Frame(i), Moment::kBetweenTurns, 3);
  EXPECT_EQ(window.TakeDropped(), 2);
  EXPECT_EQ(window.TakeDropped(), 0);
  EXPECT_THAT(Drained(window), testing::ElementsAre(3, 4, 5));
  EXPECT_EQ(window.TakeDropped(), 3);
}

TEST(VideoWindowTest, WithinATurnOneWaitsBesidesThoseFromBefore) {
  VideoWindow window;
  window.Add(Frame(1), Moment::kBetweenTurns, 3);
  for (int64_t i = 2; i <= 5; ++i) window.Add(Frame(i), Moment::kInTurn, 3);
  EXPECT_EQ(window.TakeDropped(), 3);
  EXPECT_THAT(Drained(window), testing::ElementsAre(1, 5));
}

TEST(VideoWindowTest, AFrameThatIsBeingRunIsNotReplaced) {
  VideoWindow window;
  window.Add(Frame(1), Moment::kInTurn, 1);
  window.Ran(1, 10);
  window.Add(Frame(2), Moment::kInTurn, 1);
  window.Add(Frame(3), Moment::kInTurn, 1);
  EXPECT_EQ(window.TakeDropped(), 1);
  EXPECT_EQ(window.run(), 1);
  EXPECT_EQ(window.in_context(), 0u) << "not yet whole";
  window.Ran(2, 12);
  EXPECT_EQ(window.run(), 0);
  EXPECT_EQ(window.in_context(), 1u);
  EXPECT_EQ(window.oldest_first(), 9);
  EXPECT_THAT(Drained(window), testing::ElementsAre(3));
}

TEST(VideoWindowTest, FramesBehindATurnEndWaitForTheNextTurn) {
  VideoWindow window;
  window.Add(Frame(1), Moment::kInTurn, 3);
  window.Add(Frame(2), Moment::kBehindTurnEnd, 3);
  ASSERT_NE(window.Next(true), nullptr);
  window.Ran(kRows, 10);
  EXPECT_EQ(window.Next(true), nullptr);
  window.TurnEnds();
  ASSERT_NE(window.Next(true), nullptr);
  EXPECT_EQ(window.Next(true)->pieces.front(), 2);
}

TEST(VideoWindowTest, WhenTheOldestLeavesTheOthersMoveUp) {
  VideoWindow window;
  for (const int64_t length : {10, 20, 30}) {
    window.Add(Frame(length), Moment::kInTurn, 8);
    window.Ran(kRows, length);
  }
  EXPECT_EQ(window.rows_in_context(), 3 * kRows);
  EXPECT_EQ(window.oldest_first(), 7);
  EXPECT_EQ(window.oldest_rows(), kRows);
  window.OldestLeft();
  EXPECT_EQ(window.oldest_first(), 20 - 2 * kRows);
  window.OldestLeft();
  EXPECT_EQ(window.oldest_first(), 30 - 3 * kRows);
  window.OldestLeft();
  EXPECT_EQ(window.in_context(), 0u);
  EXPECT_EQ(window.shown(), 3) << "shown is shown";
}

TEST(VideoWindowTest, FramesOfAForgottenTurnWaitAgainAndAreCountedOnce) {
  VideoWindow window;
  window.Add(Frame(1), Moment::kInTurn, 2);
  window.Ran(kRows, 10);
  window.BeginTurn();  // of which 10 positions stand before it
  for (const int64_t i : {2, 3, 4}) {
    if (window.in_context() == 2) window.OldestLeft();
    window.Add(Frame(i), Moment::kInTurn, 2);
    window.Ran(kRows, 20 + i);
  }
  window.Add(Frame(5), Moment::kInTurn, 2);
  EXPECT_EQ(window.shown(), 3);
  window.ForgetTurn(10 - kRows, 2);  // frame 1 has left as well
  EXPECT_EQ(window.shown(), 0);
  EXPECT_EQ(window.in_context(), 0u);
  EXPECT_EQ(window.TakeDropped(), 2) << "2 had left, 3 is not among the newest two";
  EXPECT_THAT(Drained(window), testing::ElementsAre(4, 5));
}

TEST(VideoWindowTest, AFrameBegunInAForgottenTurnIsRunAnew) {
  VideoWindow window;
  window.Add(Frame(1), Moment::kInTurn, 2);
  window.Ran(2, 12);
  window.ForgetTurn(5, 2);
  EXPECT_EQ(window.run(), 0);
  EXPECT_EQ(window.TakeDropped(), 0);
  window.Ran(kRows, 8);
  EXPECT_EQ(window.oldest_first(), 5);
}

}  // namespace
}  // namespace antiphon
