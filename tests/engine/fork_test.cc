// Sequences that are forked between two steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

using Told = std::vector<std::string>;

// A turn of so many heard words, up to the end of its response.
void Say(EngineBench& bench, Owner& owner, const std::vector<int64_t>& words) {
  owner.Hear(words);
  owner.EndTurn();
  bench.RunAll();
}

// What a sequence that nobody forks is told of the second of two turns.
Told SecondTurnAlone(const std::vector<int64_t>& first, const std::vector<int64_t>& second) {
  EngineBench bench;
  const auto owner = bench.Open();
  Say(bench, *owner, first);
  owner->Take();
  Say(bench, *owner, second);
  return owner->Take();
}

// Steps until the owner has been told `part`.
void RunUntil(EngineBench& bench, const Owner& owner, const std::string& part) {
  while (!owner.Heard(part) && bench.loop.RunOnce()) {
  }
  ASSERT_TRUE(owner.Heard(part)) << part;
}

TEST(SequenceForkTest, BothGoOnFromWhereTheyPart) {
  EngineBench bench;
  const auto original = bench.Open();
  Say(bench, *original, {3, 0, 7});
  original->Take();
  Owner fork(*original, {.first_turn = 2});
  bench.RunAll();
  original->Hear({4, 9});
  fork.Hear({5, 11, 2});
  original->EndTurn();
  fork.EndTurn();
  bench.RunAll();  // both together
  const Told expected = SecondTurnAlone({3, 0, 7}, {4, 9});
  EXPECT_EQ(original->Take(), expected);
  EXPECT_EQ(fork.Take(), SecondTurnAlone({3, 0, 7}, {5, 11, 2}));
  EXPECT_NE(expected, SecondTurnAlone({3, 0, 7}, {5, 11, 2}));
  EXPECT_EQ(bench.loop.statistics().forks, 1u);
  EXPECT_EQ(bench.loop.statistics().forks_lost, 0u);
}

TEST(SequenceForkTest, InTheMiddleOfATurnBothHaveWhatWasHeard) {
  EngineBench bench;
  const auto original = bench.Open();
  Say(bench, *original, {3});
  original->Take();
  original->Hear({4, 9});
  bench.RunAll();
  const auto before = std::ssize(original->Take());
  Owner fork(*original, {.first_turn = 2});
  bench.RunAll();
  for (Owner* owner : {original.get(), &fork}) {
    owner->Hear({6});
    owner->EndTurn();
  }
  bench.RunAll();
  const Told told = original->Take();
  EXPECT_EQ(fork.Take(), told) << "the codec's state too is the same";
  Told alone = SecondTurnAlone({3}, {4, 9, 6});
  alone.erase(alone.begin(), alone.begin() + before);
  EXPECT_EQ(told, alone);
}

TEST(SequenceForkTest, InTheMiddleOfAResponseBothSpeakOn) {
  EngineBench bench;
  SequenceOptions sampled;
  sampled.sampling = {.temperature = 1.0f, .top_k = 0, .top_p = 1.0f, .repetition_penalty = 1.2f, .seed = 7};
  const auto original = bench.Open(sampled);
  original->Type("count");
  original->EndTurn();
  RunUntil(bench, *original, "audio");
  original->Take();
  Owner fork(*original, {.first_turn = 1});
  bench.RunAll();
  const Told rest = original->Take();
  ASSERT_FALSE(rest.empty());
  EXPECT_EQ(fork.Take(), rest) << "draws, text, decoder and the end";
  EXPECT_THAT(rest.back(), StartsWith("1 done completed"));
}

TEST(SequenceForkTest, ItsTurnsAreNumberedAsItsOwnerWants) {
  EngineBench bench;
  const auto original = bench.Open();
  Say(bench, *original, {3});
  Owner fork(*original, {.first_turn = 100});
  fork.Hear({5});
  fork.EndTurn();
  bench.RunAll();
  Say(bench, fork, {6});
  EXPECT_EQ(fork.Count("100 ended"), 1);
  EXPECT_EQ(fork.Count("101 ended"), 1);
  EXPECT_EQ(original->Count("ended"), 1);
}

TEST(SequenceForkTest, WhatWaitsToBeRunIsNotInIt) {
  EngineBench bench;
  const auto original = bench.Open();
  Say(bench, *original, {3});
  original->Hear({4});
  Owner fork(*original, {.first_turn = 2});
  fork.Hear({5});
  original->EndTurn();
  fork.EndTurn();
  bench.RunAll();
  EXPECT_EQ(original->Count("2 ended commit"), 1);
  EXPECT_EQ(fork.Take(), SecondTurnAlone({3}, {5}));
}

TEST(SequenceForkTest, StandsWhereTheUserStoppedHearing) {
  const auto next = [](bool forks) {
    EngineBench bench;
    const auto original = bench.Open();
    Say(bench, *original, {3, 8});
    original->Take();
    if (!forks) {
      original->CutResponse(2);
      bench.RunAll();
      original->Take();
      Say(bench, *original, {5});
      return original->Take();
    }
    Owner fork(*original, {.heard_frames = 2, .first_turn = 2});
    bench.RunAll();
    EXPECT_EQ(fork.Count("cut 2"), 1);
    fork.Take();
    Say(bench, fork, {5});
    EXPECT_THAT(original->Take(), IsEmpty());
    return fork.Take();
  };
  EXPECT_EQ(next(true), next(false));
}

TEST(SequenceForkTest, TheOriginalKnowsNothingOfIt) {
  EngineBench bench;
  const auto original = bench.Open();
  original->Type("count");
  original->EndTurn();
  RunUntil(bench, *original, "audio");
  original->Take();
  Owner fork(*original, {.heard_frames = 1, .first_turn = 2, .answers = false});
  fork.Hear({5, 1});
  bench.RunAll();
  const Told told = original->Take();
  EXPECT_EQ(fork.Count("ended model"), 1);

  EngineBench alone;
  const auto unforked = alone.Open();
  unforked->Type("count");
  unforked->EndTurn();
  RunUntil(alone, *unforked, "audio");
  unforked->Take();
  alone.RunAll();
  EXPECT_EQ(told, unforked->Take());
  // And can still be cut, as if nothing had been.
  original->CutResponse(2);
  unforked->CutResponse(2);
  bench.RunAll();
  alone.RunAll();
  EXPECT_EQ(original->Take(), unforked->Take());
  EXPECT_EQ(original->Count("cut 2"), 1);
}

TEST(SequenceForkTest, OneThatOnlyListensEndsItsResponseAsItBegins) {
  EngineBench bench;
  const auto original = bench.Open();
  Say(bench, *original, {3});
  Owner fork(*original, {.first_turn = 2, .answers = false});
  const uint64_t spoken = bench.loop.statistics().spoken_frames;
  fork.Hear({5, 1});
  bench.RunAll();
  EXPECT_EQ(fork.Count("2 ended model"), 1);
  EXPECT_EQ(fork.Count("2 done cancelled"), 1);
  EXPECT_EQ(bench.loop.statistics().spoken_frames, spoken);
}

TEST(SequenceForkTest, ClosedItGivesBackItsPagesAndTheOthersStay) {
  EngineBench bench;
  const auto original = bench.Open();
  Say(bench, *original, {3, 4, 5});
  const int before = bench.loop.statistics().pages_in_use;
  {
    Owner fork(*original, {.first_turn = 2});
    Say(bench, fork, {5, 6});
    EXPECT_GT(bench.loop.statistics().pages_in_use, before);
  }
  bench.loop.RunOnce();
  EXPECT_EQ(bench.loop.statistics().pages_in_use, before);
}

TEST(SequenceForkTest, OutlivesTheOriginal) {
  EngineBench bench;
  auto original = bench.Open();
  Say(bench, *original, {3, 0, 7});
  Owner fork(*original, {.first_turn = 2});
  bench.RunAll();
  original->Close();
  bench.RunAll();
  Say(bench, fork, {5, 11, 2});
  EXPECT_EQ(fork.Take(), SecondTurnAlone({3, 0, 7}, {5, 11, 2}));
  fork.Close();
  bench.loop.RunOnce();
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
}

TEST(SequenceForkTest, OneClosedBeforeTheEngineLookedIsNeverMade) {
  EngineBench bench;
  const auto original = bench.Open();
  Say(bench, *original, {3});
  Owner(*original, {.first_turn = 2}).Close();
  bench.RunAll();
  EXPECT_EQ(bench.loop.statistics().forks, 0u);
}

TEST(SequenceForkTest, ACancelReachesOnlyOne) {
  EngineBench bench;
  const auto original = bench.Open();
  original->Type("count");
  original->EndTurn();
  RunUntil(bench, *original, "audio");
  Owner fork(*original, {.first_turn = 1});
  fork.Cancel();
  bench.RunAll();
  EXPECT_EQ(fork.Count("1 done cancelled"), 1);
  EXPECT_EQ(original->Count("1 done completed"), 1);
}

TEST(SequenceForkTest, WithoutPagesItIsRefusedAndNothingElse) {
  EngineOptions options = EngineBench::SmallOptions();
  options.kv_pages = 10;  // 40 positions
  EngineBench bench(options);
  const auto original = bench.Open();
  Say(bench, *original, {3});
  original->Take();
  ASSERT_LT(options.kv_pages - bench.loop.statistics().pages_in_use, 8) << "of 4 positions, for 32";
  Owner fork(*original, {.first_turn = 2});
  fork.Hear({5});
  bench.RunAll();
  EXPECT_THAT(fork.Take(), ElementsAre("1 refused RESOURCE_EXHAUSTED"));
  EXPECT_EQ(fork.room(), 1) << "what it takes it gives back";
  EXPECT_EQ(bench.loop.statistics().forks_lost, 1u);
  Say(bench, *original, {4});
  EXPECT_EQ(original->Take(), SecondTurnAlone({3}, {4}));
}

TEST(SequenceForkTest, GivesWayWhenPagesRunOut) {
  EngineOptions options = EngineBench::SmallOptions();
  options.kv_pages = 24;  // 96 positions
  EngineBench bench(options);
  const auto original = bench.Open();
  Say(bench, *original, {3});
  Owner fork(*original, {.first_turn = 2});
  bench.RunAll();
  fork.Hear(std::vector<int64_t>(40, 5));
  bench.RunAll();
  EXPECT_EQ(bench.loop.statistics().forks_lost, 0u);
  original->Take();
  fork.Take();
  // More than is left beside the fork, and less than there is.
  Say(bench, *original, std::vector<int64_t>(60, 4));
  EXPECT_THAT(fork.Take(), ElementsAre("2 refused RESOURCE_EXHAUSTED"));
  EXPECT_EQ(bench.loop.statistics().forks_lost, 1u);
  EXPECT_EQ(original->Take(), SecondTurnAlone({3}, std::vector<int64_t>(60, 4)));
  fork.Hear({5});
  EXPECT_EQ(bench.RunAll(), 0) << "it does nothing more";
  EXPECT_THAT(fork.Take(), IsEmpty());
}

TEST(SequenceForkTest, HalfReadTextsAreNotForked) {
  EngineOptions options = EngineBench::SmallOptions();
  options.max_batch_positions = 4;
  EngineBench bench(options);
  const auto original = bench.Open();
  original->Type("a text that is longer than four pieces, by far, whatever the tokenizer makes of it");
  ASSERT_TRUE(bench.loop.RunOnce());
  Owner fork(*original, {.first_turn = 2});
  original->EndTurn();
  bench.RunAll();
  EXPECT_THAT(fork.Take(), ElementsAre("2 refused FAILED_PRECONDITION"));
  EXPECT_EQ(original->Count("1 done completed"), 1);
}

TEST(SequenceForkTest, ItsOriginalMayCloseBeforeItIsMade) {
  EngineBench bench;
  const auto original = bench.Open();
  Say(bench, *original, {3});
  Owner fork(*original, {.first_turn = 2});
  original->Close();
  Say(bench, fork, {5});
  EXPECT_EQ(fork.Count("2 done completed"), 1);
}

TEST(SequenceForkTest, HalfReadVideoIsNotForkedAndNotReadOn) {
  EngineOptions options = EngineBench::SmallOptions();
  options.max_batch_positions = 4;
  EngineBench bench(options);
  const auto original = bench.Open();
  original->Type("look");
  bench.RunAll();
  std::vector<int> picture(static_cast<size_t>(bench.config.image.codes()), 1);
  original->ShowVideo(picture);
  bench.clock.Advance(std::chrono::seconds(1));
  ASSERT_TRUE(bench.loop.RunOnce());
  {
    Owner fork(*original, {.first_turn = 2});
    original->Close();
    bench.RunAll();
    EXPECT_THAT(fork.Take(), ElementsAre("2 refused FAILED_PRECONDITION"));
    EXPECT_EQ(bench.RunAll(), 0);
  }
  bench.RunAll();
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
}

TEST(SequenceForkTest, AStepThatFailsHurtsOnlyOne) {
  EngineBench bench;
  const auto original = bench.Open();
  Say(bench, *original, {3});
  Owner fork(*original, {.first_turn = 2});
  bench.RunAll();
  bench.model.on_forward = [](const RaggedBatch&) { throw std::runtime_error("no such kernel"); };
  fork.Hear({5});
  bench.RunAll();
  bench.model.on_forward = nullptr;
  EXPECT_EQ(fork.Count("refused INTERNAL"), 1);
  Say(bench, *original, {4});
  EXPECT_EQ(original->Count("2 done completed"), 1);
}

}  // namespace
}  // namespace antiphon
