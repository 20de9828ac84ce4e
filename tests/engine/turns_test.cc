// What the owner of a sequence sees of its turns: order, tags, causes, cuts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

using Told = std::vector<std::string>;

const std::vector<int64_t> kQuestion = {0, 5, 0, 9, 1};

SequenceOptions Written() {
  SequenceOptions options;
  options.speak = false;
  return options;
}

// What a new sequence answers to kQuestion.
Told FirstAnswer() {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  bench.RunAll();
  return owner->told();
}

TEST(TurnsTest, ASpokenQuestionGetsASpokenAnswer) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  bench.RunAll();
  // `<bos>`, 5 frames, `<assistant>` and 6 more: 2 lead positions, 4 frames, end of audio.
  EXPECT_THAT(owner->told(),
              ElementsAre(StartsWith("1 heard '"), StartsWith("1 heard '"),
                          AllOf(StartsWith("1 ended model '"), HasSubstr(" 5+0")), StartsWith("1 text '"),
                          StartsWith("1 text '"), StartsWith("1 text '"), StartsWith("1 audio"),
                          StartsWith("1 audio"), StartsWith("1 audio"), StartsWith("1 audio"),
                          "1 done completed OK 3+4 at 13"));
}

TEST(TurnsTest, TheTranscriptIsItsDeltas) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  bench.RunAll();
  TextDecoder decoder;
  std::string expected;
  for (const int64_t code : {5, 9}) expected += decoder.Append(bench.tokenizer, bench.model.HeardPiece(code));
  EXPECT_TRUE(owner->Heard("ended model '" + expected + "'")) << testing::PrintToString(owner->told());
}

TEST(TurnsTest, AWrittenAnswerHasNoAudio) {
  EngineBench bench;
  const auto owner = bench.Open(Written());
  owner->Type("hello");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("audio"), 0);
  EXPECT_EQ(owner->Count("1 ended commit 'hello' 0+"), 1);
  EXPECT_THAT(owner->told().back(), StartsWith("1 done completed OK 3+0"));
}

TEST(TurnsTest, TheNextTurnGoesOnFromTheLast) {
  EngineBench bench;
  const auto owner = bench.Open(Written());
  owner->Type("one");
  owner->EndTurn();
  bench.RunAll();
  const Told first = owner->Take();
  owner->Type("one");
  owner->EndTurn();
  bench.RunAll();
  const Told second = owner->Take();
  ASSERT_THAT(second, SizeIs(first.size()));
  EXPECT_THAT(second.front(), StartsWith("2 ended"));
  EXPECT_NE(first[1].substr(2), second[1].substr(2)) << "the second answer does not know the first turn";
}

TEST(TurnsTest, TypedAndSpokenMixInOneTurn) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear({0, 5});
  owner->Type("typed");
  owner->Hear({9, 0});
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count(" typed "), 1) << testing::PrintToString(owner->told());
  EXPECT_EQ(owner->Count("1 ended commit"), 1);
  EXPECT_EQ(owner->Count("1 done completed"), 1);
}

TEST(TurnsTest, TheModelDoesNotEndTheTurnUnlessAllowed) {
  EngineBench bench;
  SequenceOptions options;
  options.semantic_turns = false;
  const auto owner = bench.Open(options);
  owner->Hear(kQuestion);
  bench.RunAll();
  EXPECT_EQ(owner->Count("ended"), 0);
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("ended commit"), 1);
}

TEST(TurnsTest, WhetherTheModelMayEndTheTurnChangesWithinItFromTheNextFrameOn) {
  EngineBench bench;
  SequenceOptions options;
  options.semantic_turns = false;
  const auto owner = bench.Open(options);
  options.semantic_turns = true;
  owner->Hear({0, 5, 1});
  owner->Configure(options);
  owner->Hear({0});
  bench.RunAll();
  EXPECT_EQ(owner->Count("ended"), 0) << "what came before the change keeps to what held then";
  owner->Hear({1});
  bench.RunAll();
  EXPECT_EQ(owner->Count("1 ended model"), 1);
  EXPECT_EQ(owner->Count("1 done completed"), 1);
  // And back, in the turn that follows.
  options.semantic_turns = false;
  owner->Hear({0, 5});
  owner->Configure(options);
  owner->Hear({1, 1});
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 ended"), 0);
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 ended commit"), 1);
}

TEST(TurnsTest, EndingAnEmptyTurnDoesNothing) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->EndTurn();
  owner->EndTurn();
  bench.RunAll();
  EXPECT_THAT(owner->told(), IsEmpty());
}

TEST(TurnsTest, ACommitThatCrossesTheModelsDecisionIsNotASecondTurn) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  owner->Hear({0, 0});
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("ended"), 1);
  EXPECT_THAT(owner->told(), testing::Contains(StartsWith("1 ended model")));
  EXPECT_EQ(owner->Count("done"), 1);
  EXPECT_EQ(owner->told(), FirstAnswer()) << "frames behind the end of the turn were heard";
}

TEST(TurnsTest, ACommitThatComesBehindTheModelsDecisionDoesNotHoldUpAnExport) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  while (!owner->Heard("ended model")) ASSERT_TRUE(bench.loop.RunOnce());
  owner->EndTurn();
  owner->Export();
  bench.RunAll();
  EXPECT_FALSE(owner->exported().empty());
  EXPECT_EQ(owner->Count("ended"), 1);
}

TEST(TurnsTest, FramesHeardDuringAResponseAreDropped) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  while (!owner->Heard("audio")) ASSERT_TRUE(bench.loop.RunOnce());
  owner->Hear({5, 5, 5});
  bench.RunAll();
  EXPECT_EQ(owner->told(), FirstAnswer());
}

TEST(TurnsTest, TextTypedDuringAResponseIsTheNextTurn) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  while (!owner->Heard("audio")) ASSERT_TRUE(bench.loop.RunOnce());
  owner->Type("and now");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 ended commit 'and now'"), 1);
  EXPECT_EQ(owner->Count("2 done completed"), 1);
}

TEST(TurnsTest, CancelStopsWithinOneStepAndNothingFollows) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  while (!owner->Heard("audio")) ASSERT_TRUE(bench.loop.RunOnce());
  owner->Cancel();
  const Told before = owner->told();
  bench.loop.RunOnce();
  ASSERT_EQ(owner->told().size(), before.size() + 1);
  EXPECT_EQ(owner->told().back(), "1 done cancelled OK 3+1 at 9");
  EXPECT_EQ(bench.RunAll(), 0);
  EXPECT_EQ(owner->told().size(), before.size() + 1);
}

TEST(TurnsTest, CancelBeforeTheFirstStepOfAResponse) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear({0, 5});
  owner->EndTurn();
  owner->Cancel();
  bench.RunAll();
  EXPECT_THAT(owner->told(), ElementsAre(StartsWith("1 heard"), StartsWith("1 ended commit"),
                                         "1 done cancelled OK 0+0 at 3"));
}

TEST(TurnsTest, CancelWithoutAResponseDoesNothing) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Cancel();
  owner->Hear({0, 5});
  owner->Cancel();
  owner->Hear({0, 9, 1});
  bench.RunAll();
  EXPECT_EQ(owner->told(), FirstAnswer());
}

TEST(TurnsTest, CancelDoesNotWaitForAResponseThatTheModelBegins) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  owner->Cancel();
  bench.RunAll();
  EXPECT_EQ(owner->told(), FirstAnswer());
}

TEST(TurnsTest, CancelOfACommittedTurnHoldsAlsoIfTheModelEndsItFirst) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  owner->EndTurn();
  owner->Cancel();
  bench.RunAll();
  EXPECT_EQ(owner->told().back(), "1 done cancelled OK 0+0 at 6");
}

TEST(TurnsTest, CancelDoesNotWaitBehindTextOfTheNextTurn) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear({0, 5});
  owner->EndTurn();
  owner->Type("next");
  owner->Cancel();
  bench.RunAll();
  EXPECT_THAT(owner->Take(), ElementsAre(StartsWith("1 heard"), StartsWith("1 ended commit"),
                                         "1 done cancelled OK 0+0 at 3"));
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 ended commit 'next'"), 1) << "what was typed is not cancelled";
  EXPECT_EQ(owner->Count("2 done completed"), 1);
}

TEST(TurnsTest, CancelDoesNotWaitBehindTextWhenTheModelEndsTheTurnFirst) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  owner->EndTurn();
  owner->Type("next");
  owner->Cancel();
  bench.RunAll();
  EXPECT_EQ(owner->told().back(), "1 done cancelled OK 0+0 at 6");
}

TEST(TurnsTest, CancelReachesEveryResponseAskedForBeforeIt) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);  // the model ends this turn, so that the commit is of the text
  owner->Type("one");
  owner->EndTurn();
  owner->Type("two");
  owner->EndTurn();
  owner->Cancel();
  owner->Type("three");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("done cancelled OK 0+0"), 3) << testing::PrintToString(owner->told());
  EXPECT_EQ(owner->Count("4 ended commit 'three'"), 1);
  EXPECT_EQ(owner->Count("4 done completed"), 1);
}

TEST(TurnsTest, CancelStopsWithinOneStepWhateverWaits) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  while (!owner->Heard("audio")) ASSERT_TRUE(bench.loop.RunOnce());
  owner->Take();
  owner->Type("next");
  owner->EndTurn();
  owner->Cancel();
  ASSERT_TRUE(bench.loop.RunOnce());
  EXPECT_EQ(owner->Take().front(), "1 done cancelled OK 3+1 at 9");
  bench.RunAll();
  EXPECT_THAT(owner->told().back(), StartsWith("2 done cancelled OK 0+0"));
}

TEST(TurnsTest, TheTurnAfterACancelledOneIsTaggedAndWhole) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  while (!owner->Heard("audio")) ASSERT_TRUE(bench.loop.RunOnce());
  owner->Cancel();
  owner->Hear(kQuestion);
  bench.RunAll();
  owner->Take();
  EXPECT_EQ(owner->Count("2 ended model"), 1);
  EXPECT_EQ(owner->Count("2 done completed OK 3+4"), 1);
  EXPECT_EQ(owner->Count("1 done"), 1);
}

TEST(TurnsTest, ClearTurnRestoresExactly) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear({7, 7, 0});
  owner->Type("never mind");
  owner->Hear({3});
  bench.RunAll();
  EXPECT_GT(bench.loop.statistics().pages_in_use, 0);
  owner->ClearTurn();
  bench.RunAll();
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
  owner->Take();

  owner->Hear(kQuestion);
  bench.RunAll();
  Told told = owner->Take();
  for (std::string& event : told) {
    ASSERT_EQ(event.front(), '2');  // the number of a turn that was cleared is not used again
    event.front() = '1';
  }
  EXPECT_EQ(told, FirstAnswer());
}

TEST(TurnsTest, ClearTurnRestoresWhatAnEarlierTurnLeft) {
  const auto second_answer = [](bool clear) {
    EngineBench bench;
    const auto owner = bench.Open(Written());
    owner->Type("first");
    owner->EndTurn();
    bench.RunAll();
    if (clear) {
      owner->Hear({4, 5, 6, 7, 8});
      bench.RunAll();
      owner->ClearTurn();
      bench.RunAll();
    }
    owner->Take();
    owner->Type("second");
    owner->EndTurn();
    bench.RunAll();
    Told told = owner->Take();
    for (std::string& event : told) event.erase(0, 1);
    return told;
  };
  EXPECT_EQ(second_answer(true), second_answer(false));
}

TEST(TurnsTest, ClearTurnForgetsWhatStillWaits) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear({7, 7, 7});
  owner->ClearTurn();
  owner->Hear(kQuestion);
  bench.RunAll();
  Told expected = FirstAnswer();
  expected.insert(expected.begin(), "0 cleared 1");
  EXPECT_EQ(owner->told(), expected);
}

TEST(TurnsTest, ClearTurnLeavesAResponseAlone) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  while (!owner->Heard("audio")) ASSERT_TRUE(bench.loop.RunOnce());
  owner->ClearTurn();
  bench.RunAll();
  Told told = owner->Take();
  EXPECT_EQ(std::erase(told, "1 cleared 1"), 1u);
  EXPECT_EQ(told, FirstAnswer());
}

TEST(TurnsTest, OptionsTakeEffectAtTheNextResponse) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear(kQuestion);
  while (!owner->Heard("audio")) ASSERT_TRUE(bench.loop.RunOnce());
  owner->Configure(Written());
  bench.RunAll();
  EXPECT_EQ(owner->Count("1 audio"), 4);
  owner->Type("again");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 audio"), 0);
  EXPECT_EQ(owner->Count("2 done completed OK 3+0"), 1);
}

TEST(TurnsTest, LimitsMakeAResponseIncomplete) {
  EngineBench bench;
  SequenceOptions options;
  options.max_response_frames = 2;
  const auto owner = bench.Open(options);
  owner->Hear(kQuestion);
  bench.RunAll();
  EXPECT_EQ(owner->Count("done incomplete OK 3+2"), 1) << testing::PrintToString(owner->told());
}

TEST(TurnsTest, AFullContextEndsTheResponseAndRefusesInput) {
  EngineBench bench(EngineBench::SmallOptions(), 9);
  const auto owner = bench.Open();
  owner->Hear(kQuestion);  // `<bos>` and 5 frames; the response gets 3 positions
  bench.RunAll();
  EXPECT_EQ(owner->Take().back(), "1 done incomplete OK 3+1 at 9");
  owner->Hear({0, 0, 0});
  owner->Type("more");
  owner->EndTurn();
  bench.RunAll();
  // Once for the microphone, once for the text.
  EXPECT_THAT(owner->Take(), ElementsAre("1 refused RESOURCE_EXHAUSTED", "1 refused RESOURCE_EXHAUSTED"));
}

TEST(TurnsTest, ATextThatDoesNotFitIsRefusedWhole) {
  EngineBench bench(EngineBench::SmallOptions(), 12);
  const auto owner = bench.Open();
  owner->Type("this is far too long for a context as small as that");
  bench.RunAll();
  EXPECT_THAT(owner->Take(), ElementsAre("0 refused RESOURCE_EXHAUSTED"));
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
  owner->Hear({0, 1});
  bench.RunAll();
  EXPECT_EQ(owner->Count("1 done"), 1);
}

TEST(TurnsTest, ATurnWithAHoleIsForgottenInsteadOfAnswered) {
  EngineBench bench(EngineBench::SmallOptions(), 12);
  const auto owner = bench.Open();
  owner->Type("do");
  owner->Type("this is far too long for a context as small as that");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_THAT(owner->Take(), ElementsAre("1 refused RESOURCE_EXHAUSTED"));
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
  owner->Type("do");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("2 ended commit 'do'"), 1) << testing::PrintToString(owner->told());
}

TEST(TurnsTest, AClosedSequenceGivesItsPagesBack) {
  EngineBench bench;
  auto owner = bench.Open();
  owner->Hear({5, 5, 5});
  bench.RunAll();
  EXPECT_GT(bench.loop.statistics().pages_in_use, 0);
  owner.reset();
  bench.RunAll();
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
}

}  // namespace
}  // namespace antiphon
