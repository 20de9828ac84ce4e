// Responses that are cut back to what the user heard of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

// A model that answers "one two three" in six frames, two a word, and tells which word it is saying.
struct CutBench : EngineBench {
  explicit CutBench(const EngineOptions& options = SmallOptions()) : EngineBench(options) {
    model.answer_text = tokenizer.Encode("one two three").value();
    model.answer_pieces = static_cast<int64_t>(model.answer_text.size());
    model.answer_frames = 6;
    model.frames_per_word = 2;
    model.on_forward = [this](const RaggedBatch& batch) {
      read.insert(read.end(), batch.symbols.begin(), batch.symbols.end());
      frames_read += static_cast<int64_t>(batch.spoken.rows.size());
    };
  }

  // A typed turn, and its answer as far as `part` is told.
  std::unique_ptr<Owner> Answered(const std::string& part, const SequenceOptions& options = {}) {
    auto owner = Open(options);
    owner->Type("count");
    owner->EndTurn();
    while (!owner->Heard(part)) {
      if (!loop.RunOnce()) break;
    }
    EXPECT_TRUE(owner->Heard(part)) << part;
    owner->Take();
    Forget();
    return owner;
  }
  void Forget() {
    read.clear();
    frames_read = 0;
  }
  size_t PiecesOf(const std::string& text) const { return tokenizer.Encode(text).value().size(); }

  std::vector<int64_t> read;  // symbols, since Forget
  int64_t frames_read = 0;    // spoken, likewise
};

TEST(CutResponseTest, AFinishedAnswerIsCutToWhatWasHeard) {
  CutBench bench;
  const auto owner = bench.Answered("done completed");
  owner->CutResponse(3);
  bench.RunAll();
  EXPECT_THAT(owner->Take(), ElementsAre("1 cut 3 'one'")) << "two was begun";
  // What stood there is kept as far as it is the same; the rest was run once more, as of a shorter answer.
  EXPECT_EQ(bench.read.front(), bench.config.symbols.end);
  EXPECT_THAT(std::vector(bench.read.begin() + 1, bench.read.end()), testing::Each(bench.config.symbols.pad));
  const auto kept = static_cast<int64_t>(1 + bench.PiecesOf("one"));
  EXPECT_EQ(static_cast<int64_t>(bench.read.size()), bench.config.speech_lead + 3 + 1 - kept);
  EXPECT_EQ(bench.frames_read, 3 - std::max<int64_t>(0, kept - bench.config.speech_lead - 1));
}

TEST(CutResponseTest, AnAnswerUnderWayStopsAndIsCut) {
  CutBench bench;
  const auto owner = bench.Answered("audio");
  owner->CutResponse(1);
  ASSERT_TRUE(bench.loop.RunOnce());
  const auto told = owner->Take();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0], "1 cut 1 ''");
  EXPECT_THAT(told[1], StartsWith("1 done cancelled OK"));
  bench.RunAll();
  EXPECT_THAT(owner->Take(), IsEmpty());
}

TEST(CutResponseTest, TheNextTurnGoesOnFromWhatWasHeard) {
  CutBench bench;
  const auto next = [&bench](int frames) {
    const auto owner = bench.Answered("done completed");
    if (frames >= 0) owner->CutResponse(frames);
    bench.RunAll();
    owner->Take();
    owner->Type("more");
    owner->EndTurn();
    bench.RunAll();
    EXPECT_EQ(owner->Count("2 done completed"), 1);
    return owner->Take();
  };
  const auto uncut = next(-1);
  EXPECT_EQ(next(6), uncut) << "all was heard";
  EXPECT_EQ(next(99), uncut);
  EXPECT_NE(next(3), uncut);
  EXPECT_NE(next(3), next(4));
  EXPECT_EQ(next(3), next(3));
}

TEST(CutResponseTest, NothingHeardLeavesNothing) {
  CutBench bench;
  const auto owner = bench.Answered("done completed");
  owner->CutResponse(0);
  EXPECT_EQ(bench.RunAll(), 0) << "there is nothing to be run again";
  EXPECT_THAT(owner->Take(), ElementsAre("1 cut 0 ''"));
  owner->Type("more");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 done completed"), 1);
  EXPECT_EQ(bench.read.front(), bench.config.symbols.user) << "no `<assistant>`, no `<end>`";
}

TEST(CutResponseTest, IsDoneBeforeWhatTheUserSaysNext) {
  CutBench bench;
  const auto owner = bench.Answered("done completed");
  owner->CutResponse(5);
  owner->Hear({0, 5, 9, 1});
  bench.RunAll();
  EXPECT_EQ(owner->Count("1 cut 5 'one two'"), 1);
  EXPECT_EQ(owner->Count("2 ended model"), 1);
  EXPECT_EQ(owner->Count("2 done completed"), 1);
}

TEST(CutResponseTest, OnlyOnceAndOnlyUntilATurnOpens) {
  CutBench bench;
  const auto owner = bench.Answered("done completed");
  owner->CutResponse(4);
  owner->CutResponse(2);
  bench.RunAll();
  EXPECT_EQ(owner->Count("cut"), 1);
  owner->Type("more");
  bench.RunAll();
  owner->CutResponse(1);
  bench.RunAll();
  EXPECT_EQ(owner->Count("cut"), 1);
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 done completed"), 1);
}

TEST(CutResponseTest, AWrittenAnswerIsOnlyCancelled) {
  CutBench bench;
  SequenceOptions options;
  options.speak = false;
  const auto owner = bench.Answered("text", options);
  owner->CutResponse(0);
  bench.RunAll();
  EXPECT_THAT(owner->Take(), ElementsAre(StartsWith("1 done cancelled")));
}

TEST(CutResponseTest, AModelThatDoesNotTellItsWordsKeepsThem) {
  CutBench bench;
  bench.model.frames_per_word = 0;
  const auto owner = bench.Answered("done completed");
  owner->CutResponse(2);
  bench.RunAll();
  EXPECT_THAT(owner->Take(), ElementsAre("1 cut 2 'one two three'"));
}

TEST(CutResponseTest, AStepThatFailsLeavesNothingOfTheAnswer) {
  CutBench bench;
  const auto owner = bench.Answered("done completed");
  owner->CutResponse(5);
  bench.model.on_forward = [](const RaggedBatch&) { throw std::runtime_error("no such kernel"); };
  bench.RunAll();
  bench.model.on_forward = nullptr;
  owner->Type("more");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 done completed"), 1);
}

TEST(CutResponseTest, GivesPagesBack) {
  CutBench bench;
  const auto owner = bench.Answered("done completed");
  const int before = bench.loop.statistics().pages_in_use;
  owner->CutResponse(0);
  bench.RunAll();
  EXPECT_LE(bench.loop.statistics().pages_in_use, before);
  owner->Close();
  bench.RunAll();
  bench.loop.RunOnce();
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
}

TEST(CutResponseTest, WhatIsLeftIsExportedAgainAndAgain) {
  CutBench bench;
  const auto owner = bench.Answered("done completed");
  owner->CutResponse(3);
  bench.RunAll();  // what was left has been run once more
  owner->Export();
  bench.RunAll();
  const Result<SequenceSnapshot> snapshot = ReadSnapshot(owner->exported(), {}, bench.config);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  const auto restored = bench.Open();
  restored->Restore(*snapshot);
  bench.RunAll();
  restored->Export();
  bench.RunAll();
  EXPECT_EQ(restored->exported(), owner->exported());
}

}  // namespace
}  // namespace antiphon
