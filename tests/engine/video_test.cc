// Video frames as the owner of a sequence sees them. The fake model's answers depend on all that the cache
// holds, in order: two conversations that end alike stand on the same positions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::StartsWith;

using Symbols = std::vector<int64_t>;

constexpr int64_t kPictureRows = 11;  // of 3 x 3 codes

std::vector<int> Picture(int code) { return std::vector<int>(9, code); }

SequenceOptions Written(int max_video_frames = 2) {
  SequenceOptions options;
  options.speak = false;
  options.max_video_frames = max_video_frames;
  return options;
}

class VideoTest : public testing::Test {
 protected:
  explicit VideoTest(int64_t max_positions = 512) : bench_(EngineBench::SmallOptions(), max_positions) {
    bench_.model.on_forward = [this](const RaggedBatch& batch) {
      run_.insert(run_.end(), batch.symbols.begin(), batch.symbols.end());
      contexts_.push_back(batch.spans.front().context);
      if (broken_) throw std::runtime_error("no");
    };
  }

  Symbols Shown(const std::vector<std::vector<int>>& pictures) const {
    Symbols symbols;
    for (const auto& picture : pictures) {
      const Symbols one = bench_.loop.grammar().ImageSymbols(picture);
      symbols.insert(symbols.end(), one.begin(), one.end());
    }
    return symbols;
  }
  // `run_` without what is run before and behind.
  Symbols Run(size_t from, size_t count) const {
    if (run_.size() < from + count) return {};
    const auto begin = run_.begin() + static_cast<std::ptrdiff_t>(from);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }

  EngineBench bench_;
  Symbols run_;
  std::vector<int64_t> contexts_;  // positions before each step's first sequence
  bool broken_ = false;
};

// The parts of what was told that depend on the context.
std::vector<std::string> AnswersOf(const Owner& owner) {
  std::vector<std::string> answers;
  for (const std::string& event : owner.told()) {
    if (event.find(" ended ") == std::string::npos) answers.push_back(event);
  }
  return answers;
}

TEST_F(VideoTest, AFrameWaitsForATurnAndGoesInBeforeItsWords) {
  const auto owner = bench_.Open(Written());
  owner->ShowVideo(Picture(1));
  EXPECT_EQ(bench_.RunAll(), 0) << "it opens no turn";
  EXPECT_EQ(bench_.loop.statistics().pages_in_use, 0);
  owner->Type("look");
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(Run(0, 2), (Symbols{bench_.config.symbols.bos, bench_.config.symbols.user}));
  EXPECT_THAT(Run(2, kPictureRows), ElementsAreArray(Shown({Picture(1)})));
  EXPECT_EQ(owner->Count("1 ended commit 'look'"), 1);
  EXPECT_EQ(owner->Count("video 1-0"), 1) << testing::PrintToString(owner->told());
}

TEST_F(VideoTest, ATurnOfFramesAloneIsEmpty) {
  const auto owner = bench_.Open(Written());
  owner->ShowVideo(Picture(1));
  owner->EndTurn();
  EXPECT_EQ(bench_.RunAll(), 0);
  EXPECT_TRUE(owner->told().empty());
  owner->Type("look");
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(owner->Count("video 1-0"), 1) << "it has waited";
}

TEST_F(VideoTest, BeforeATurnTheNewestAreKept) {
  const auto owner = bench_.Open(Written());
  for (int i = 1; i <= 5; ++i) owner->ShowVideo(Picture(i));
  owner->Type("look");
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_THAT(Run(2, 2 * kPictureRows), ElementsAreArray(Shown({Picture(4), Picture(5)})));
  EXPECT_EQ(owner->Count("video 2-3"), 1) << testing::PrintToString(owner->told());
}

TEST_F(VideoTest, AFrameGoesInBetweenHeardFrames) {
  const auto owner = bench_.Open(Written());
  owner->Hear({0});
  bench_.RunAll();
  owner->Hear({0, 0, 0});
  owner->ShowVideo(Picture(1));
  bench_.RunAll();
  // `<bos>`, `<user>` with the first frame, one whose time has come, and the picture before those of which
  // the sound is still to come: a recording that is sent at once does not keep it out.
  ASSERT_EQ(run_.size(), 2u + 3u + kPictureRows);
  EXPECT_THAT(Run(3, kPictureRows), ElementsAreArray(Shown({Picture(1)})));
}

TEST_F(VideoTest, TheFrameThatEndsATurnDoesNotWaitForAPicture) {
  SequenceOptions options = Written();
  const auto owner = bench_.Open(options);
  owner->Hear({0});
  bench_.RunAll();
  bench_.clock.Advance(std::chrono::milliseconds(80));
  owner->ShowVideo(Picture(1));
  owner->Hear({1});  // ends the turn
  bench_.RunAll();
  EXPECT_EQ(owner->Count("1 ended model '' 2+0"), 1) << testing::PrintToString(owner->told());
  EXPECT_EQ(owner->Count("video"), 0);
  bench_.clock.Advance(std::chrono::milliseconds(80));
  owner->Hear({0});
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(owner->Count("2 ended commit '' 1+0 video 1-0"), 1) << testing::PrintToString(owner->told());
}

TEST_F(VideoTest, WithinATurnTheNewestTakesThePlaceOfOneThatWaits) {
  const auto owner = bench_.Open(Written());
  owner->Hear({0});
  bench_.RunAll();
  for (const int i : {1, 2, 3}) owner->ShowVideo(Picture(i));
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_THAT(Run(2, kPictureRows), ElementsAreArray(Shown({Picture(3)})));
  EXPECT_EQ(owner->Count("video 1-2"), 1) << testing::PrintToString(owner->told());
}

TEST_F(VideoTest, TheTurnEndsWithTheFrameBeforeItsEndAndNotWithThoseBehind) {
  const auto owner = bench_.Open(Written());
  owner->Type("look");
  bench_.RunAll();
  owner->ShowVideo(Picture(1));
  owner->EndTurn();
  owner->ShowVideo(Picture(2));
  bench_.RunAll();
  EXPECT_EQ(owner->Count("1 ended commit 'look'"), 1);
  EXPECT_EQ(owner->Count("video 1-0"), 1) << testing::PrintToString(owner->told());
  run_.clear();
  owner->Type("again");
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(owner->Count("video 1-0"), 2);
  const Symbols second = Shown({Picture(2)});
  EXPECT_NE(std::search(run_.begin(), run_.end(), second.begin(), second.end()), run_.end());
}

TEST_F(VideoTest, AFrameDuringAResponseWaitsForTheNextTurn) {
  const auto owner = bench_.Open(Written());
  owner->Type("hello");
  owner->EndTurn();
  while (!owner->Heard("text")) ASSERT_TRUE(bench_.loop.RunOnce());
  owner->ShowVideo(Picture(1));
  bench_.RunAll();
  EXPECT_EQ(owner->Count("done completed"), 1);
  EXPECT_EQ(owner->Count("video"), 0);
  owner->Type("look");
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(owner->Count("video 1-0"), 1);
}

// What is behind the frame that leaves moves up: the answer is that of a turn without it, and stands where
// that one stands.
TEST(VideoLeavesTest, ATurnThatAFrameHasLeftEndsAsIfItHadNeverBeen) {
  const auto answers = [](bool first_frame, int max_batch_positions) {
    EngineOptions options = EngineBench::SmallOptions();
    options.max_batch_positions = max_batch_positions;
    EngineBench bench(options);
    SequenceOptions spoken;
    spoken.semantic_turns = false;
    const auto owner = bench.Open(spoken);
    owner->Hear({0, 7});
    bench.RunAll();
    if (first_frame) owner->ShowVideo(Picture(1));
    bench.RunAll();
    owner->Hear({8, 0});
    bench.RunAll();
    for (const int i : {2, 3}) {
      owner->ShowVideo(Picture(i));
      bench.RunAll();
      owner->Hear({9});
      bench.RunAll();
    }
    owner->EndTurn();
    bench.RunAll();
    EXPECT_EQ(owner->Count("done completed"), 1);
    EXPECT_EQ(owner->Count(first_frame ? "video 3-0" : "video 2-0"), 1);
    return AnswersOf(*owner);
  };
  EXPECT_EQ(answers(true, 128), answers(false, 128));
  EXPECT_EQ(answers(true, 4), answers(false, 128)) << "in chunks";
}

TEST_F(VideoTest, AFrameOfAnEarlierTurnLeavesAndClearStillFindsItsWay) {
  const auto owner = bench_.Open(Written());
  owner->ShowVideo(Picture(1));
  owner->ShowVideo(Picture(2));
  owner->Type("look");
  owner->EndTurn();
  bench_.RunAll();
  ASSERT_THAT(owner->told().back(), StartsWith("1 done completed"));
  const int64_t length = std::stoll(owner->told().back().substr(owner->told().back().rfind(' ')));

  owner->ShowVideo(Picture(3));
  owner->Type("and now");
  contexts_.clear();
  bench_.RunAll();
  ASSERT_FALSE(contexts_.empty());
  EXPECT_EQ(contexts_.front(), length - kPictureRows) << "the first frame has left";
  owner->ClearTurn();
  bench_.RunAll();
  const int pages = bench_.loop.statistics().pages_in_use;
  EXPECT_EQ(pages, (length - kPictureRows + 3) / 4);

  run_.clear();
  contexts_.clear();
  owner->Type("then");
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(contexts_.front(), length - kPictureRows);
  const Symbols again = Shown({Picture(3)});
  EXPECT_NE(std::search(run_.begin(), run_.end(), again.begin(), again.end()), run_.end())
      << "the frame of the cleared turn is shown again";
  EXPECT_EQ(owner->Count("ended commit 'then' 0+"), 1);
  EXPECT_EQ(owner->Count("video 1-0"), 1) << testing::PrintToString(owner->told());
}

TEST_F(VideoTest, FewerFramesStayOnceFewerAreWanted) {
  const auto owner = bench_.Open(Written(4));
  for (int i = 1; i <= 4; ++i) owner->ShowVideo(Picture(i));
  owner->Type("look");
  bench_.RunAll();
  const int before = bench_.loop.statistics().pages_in_use;
  owner->Configure(Written(1));
  owner->ShowVideo(Picture(5));
  bench_.RunAll();
  EXPECT_LE(bench_.loop.statistics().pages_in_use, before - 3 * kPictureRows / 4 + 1);
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(owner->Count("video 5-0"), 1);
}

TEST_F(VideoTest, AStepThatFailsInAFrameLosesTheTurnAndNoMore) {
  const auto owner = bench_.Open(Written());
  owner->Type("look");
  bench_.RunAll();
  broken_ = true;
  owner->ShowVideo(Picture(1));
  bench_.RunAll();
  EXPECT_EQ(owner->told().back(), "1 refused INTERNAL");
  broken_ = false;
  owner->EndTurn();  // forgets the turn
  bench_.RunAll();
  EXPECT_EQ(bench_.loop.statistics().pages_in_use, 0);
  owner->Type("again");
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(owner->Count("2 ended commit 'again'"), 1);
  EXPECT_EQ(owner->Count("video 0-1"), 1) << testing::PrintToString(owner->told());
}

TEST_F(VideoTest, AFaultInTheFirstTurnLeavesItsBeginning) {
  const auto owner = bench_.Open(Written(1));
  owner->ShowVideo(Picture(1));
  owner->Type("look");
  bench_.RunAll();
  bench_.model.on_close_gap = [](const SequenceGap&) { throw std::runtime_error("no"); };
  owner->ShowVideo(Picture(2));
  bench_.RunAll();
  EXPECT_THAT(owner->told().back(), HasSubstr("refused INTERNAL"));
  bench_.model.on_close_gap = nullptr;
  owner->ClearTurn();
  bench_.RunAll();
  run_.clear();
  owner->Type("again");
  owner->EndTurn();
  bench_.RunAll();
  ASSERT_FALSE(run_.empty());
  EXPECT_EQ(run_.front(), bench_.config.symbols.bos) << "nothing has been said yet";
}

TEST_F(VideoTest, AFaultWhileAFrameLeavesLosesWhatStoodBehindIt) {
  const auto owner = bench_.Open(Written(1));
  owner->ShowVideo(Picture(1));
  owner->Type("look");
  owner->EndTurn();
  bench_.RunAll();
  owner->Type("more");
  bench_.RunAll();
  bench_.model.on_close_gap = [](const SequenceGap&) { throw std::runtime_error("no"); };
  owner->ShowVideo(Picture(2));
  bench_.RunAll();
  EXPECT_THAT(owner->told().back(), HasSubstr("refused INTERNAL"));
  bench_.model.on_close_gap = nullptr;
  owner->ClearTurn();
  bench_.RunAll();
  EXPECT_EQ(bench_.loop.statistics().pages_in_use, 1) << "`<bos>` and `<user>` are left";
  contexts_.clear();
  owner->ShowVideo(Picture(3));
  owner->Type("again");
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(contexts_.front(), 2);
  EXPECT_EQ(owner->Count("ended commit 'again'"), 1);
  EXPECT_THAT(owner->told().back(), HasSubstr("done completed"));
}

class SmallContextTest : public VideoTest {
 protected:
  SmallContextTest() : VideoTest(23) {}
};

TEST_F(SmallContextTest, AFrameLeavesSoonerWhenThereIsNoRoomForTwo) {
  const auto owner = bench_.Open(Written());
  owner->ShowVideo(Picture(1));
  owner->Type("a");
  bench_.RunAll();
  owner->ShowVideo(Picture(2));
  bench_.RunAll();
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(owner->Count("refused"), 0);
  EXPECT_EQ(owner->Count("video 2-0"), 1) << testing::PrintToString(owner->told());
}

TEST_F(SmallContextTest, AFrameForWhichThereIsNoRoomAtAllIsDroppedAndTheTurnGoesOn) {
  const auto owner = bench_.Open(Written());
  owner->Show(Picture(1));
  bench_.RunAll();
  owner->Type("a");
  owner->ShowVideo(Picture(2));
  owner->EndTurn();
  bench_.RunAll();
  EXPECT_EQ(owner->Count("refused"), 0);
  EXPECT_EQ(owner->Count("ended commit 'a'"), 1);
  EXPECT_EQ(owner->Count("video 0-1"), 1) << testing::PrintToString(owner->told());
}

// Pages that no fork shares are moved in place.
TEST(VideoPagesTest, AFrameLeavesAFullPoolToo) {
  EngineOptions options = EngineBench::SmallOptions();
  options.kv_pages = 8;  // 32 positions
  EngineBench bench(options);
  const auto owner = bench.Open(Written());
  owner->Type("a");
  bench.RunAll();
  for (int i = 1; i <= 9; ++i) {
    owner->ShowVideo(Picture(i));
    bench.RunAll();
    EXPECT_LE(bench.loop.statistics().pages_in_use, 8);
  }
  EXPECT_EQ(owner->Count("refused"), 0) << testing::PrintToString(owner->told());
}

}  // namespace
}  // namespace antiphon
