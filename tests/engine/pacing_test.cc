// A response is made no further ahead than its playback needs.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/live_sequence.h"
#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using std::chrono::seconds;

constexpr int kEnough = 1000;  // frames: more than any answer here

SequenceOptions Paced(int frames) {
  SequenceOptions options;
  options.unpaced_frames = frames;
  return options;
}

// All that is told of an answer that nothing holds back.
std::vector<std::string> Unpaced(int64_t pieces, int64_t frames) {
  EngineBench bench;
  bench.model.answer_pieces = pieces;
  bench.model.answer_frames = frames;
  const auto owner = bench.Open();
  owner->Hear({0, 1});
  bench.RunAll();
  return owner->told();
}

TEST(PacingTest, FramesWaitUntilTheyAreNeeded) {
  EngineBench bench;
  bench.model.answer_frames = 40;
  const auto owner = bench.Open(Paced(10));
  owner->Hear({0, 1});
  bench.RunAll();
  EXPECT_EQ(owner->Count("audio"), 10);
  EXPECT_FALSE(owner->Heard("done"));
  owner->PaceSpeech(12, bench.clock.Now());
  bench.RunAll();
  EXPECT_EQ(owner->Count("audio"), 12);
  owner->PaceSpeech(5, bench.clock.Now());
  EXPECT_EQ(bench.RunAll(), 0) << "what is needed does not become less";
  owner->PaceSpeech(kEnough, bench.clock.Now());
  bench.RunAll();
  EXPECT_EQ(owner->told(), Unpaced(3, 40)) << "the same, only later";
}

TEST(PacingTest, EveryResponseWaitsAnew) {
  EngineBench bench;
  bench.model.answer_frames = 40;
  const auto owner = bench.Open(Paced(10));
  owner->Hear({0, 1});
  bench.RunAll();
  owner->PaceSpeech(kEnough, bench.clock.Now());
  bench.RunAll();
  ASSERT_EQ(owner->Count("1 done completed"), 1);
  owner->PaceSpeech(kEnough, bench.clock.Now());  // of none that is under way
  owner->Hear({0, 1});
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 audio"), 10);
}

TEST(PacingTest, TextDoesNotWait) {
  EngineBench bench;
  bench.model.answer_pieces = 30;
  bench.model.answer_frames = 100;
  const auto owner = bench.Open(Paced(5));
  owner->Hear({0, 1});
  bench.RunAll();
  EXPECT_GT(owner->Count("audio"), 5) << "they come with the text";
  EXPECT_LT(owner->Count("audio"), 40);
  const std::string all_of_it = "1 done completed OK 30+100";
  EXPECT_FALSE(owner->Heard(all_of_it));
  const int texts = owner->Count("text");
  owner->PaceSpeech(kEnough, bench.clock.Now());
  bench.RunAll();
  EXPECT_TRUE(owner->Heard(all_of_it));
  EXPECT_EQ(owner->Count("text"), texts);
}

TEST(PacingTest, PicturesDoNotWait) {
  EngineBench bench;
  bench.model.answer_frames = 100;
  bench.model.answer_images = 1;
  const auto owner = bench.Open(Paced(5));
  owner->Hear({0, 1});
  bench.RunAll();
  const int rows = owner->Count("image");
  EXPECT_EQ(rows, bench.config.image.grid + 1) << "its beginning, and each row";
  EXPECT_LT(owner->Count("audio"), 100);
  owner->PaceSpeech(kEnough, bench.clock.Now());
  bench.RunAll();
  EXPECT_EQ(owner->Count("1 done completed"), 1);
}

TEST(PacingTest, AResponseThatWaitsMayBeCut) {
  EngineBench bench;
  bench.model.answer_frames = 40;
  const auto owner = bench.Open(Paced(10));
  owner->Hear({0, 1});
  bench.RunAll();
  owner->CutResponse(4);
  bench.RunAll();
  EXPECT_TRUE(owner->Heard("cut 4"));
  EXPECT_TRUE(owner->Heard("1 done cancelled"));
  owner->Hear({0, 1});
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 audio"), 10);
}

TEST(PacingTest, AResponseThatWaitsMayBeCancelledAndItsOwnerMayGo) {
  EngineBench bench;
  bench.model.answer_frames = 40;
  const auto cancelled = bench.Open(Paced(10));
  auto gone = bench.Open(Paced(10));
  cancelled->Hear({0, 1});
  gone->Hear({0, 1});
  bench.RunAll();
  cancelled->Cancel();
  gone.reset();
  bench.RunAll();
  EXPECT_TRUE(cancelled->Heard("1 done cancelled"));
  cancelled->Close();
  bench.RunAll();
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
}

TEST(PacingTest, OthersAreServedMeanwhile) {
  EngineBench bench;
  bench.model.answer_frames = 40;
  const auto ahead = bench.Open(Paced(10));
  ahead->Hear({0, 1});
  bench.RunAll();
  size_t most = 0;
  bench.model.on_forward = [&](const RaggedBatch& batch) { most = std::max(most, batch.spans.size()); };
  const auto other = bench.Open();
  other->Hear({0, 1});
  bench.RunAll();
  EXPECT_EQ(other->Count("1 done completed"), 1);
  EXPECT_EQ(most, 1u) << "alone";
}

// The user has made the answer pause: its frames are due later than if it had been played on.
TEST(PacingTest, DeadlinesFollowThePlayback) {
  EngineBench bench;
  bench.model.answer_frames = 40;
  const auto owner = bench.Open(Paced(10));
  owner->Hear({0, 1});
  bench.RunAll();
  bench.clock.Advance(seconds(5));
  owner->PaceSpeech(15, bench.clock.Now() - 9 * FramePeriod(bench.config));
  bench.RunAll();
  EXPECT_EQ(owner->Count("audio"), 15);
  EXPECT_EQ(bench.loop.statistics().deadline_misses, 0u);
  bench.clock.Advance(seconds(5));
  owner->PaceSpeech(20, bench.clock.Now() - 16 * FramePeriod(bench.config));
  bench.RunAll();
  EXPECT_EQ(bench.loop.statistics().deadline_misses, 1u) << "frame 15 was due a frame ago, 16 is due now";
}

}  // namespace
}  // namespace antiphon
