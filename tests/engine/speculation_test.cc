// Answers that are begun before their turn is over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Told = std::vector<std::string>;

EngineOptions WithSteps(int steps) {
  EngineOptions options = EngineBench::SmallOptions();
  options.speculative_steps = steps;
  return options;
}

struct Case {
  std::string name;
  int64_t frames = 4;
  int64_t images = 0;
  SequenceOptions options{};
};

std::vector<Case> Cases() {
  SequenceOptions written;
  written.speak = false;
  SequenceOptions sampled;
  sampled.sampling.temperature = 1.0f;
  sampled.sampling.seed = 11;
  SequenceOptions limited;
  limited.max_response_frames = 3;
  return {{"done within the steps", 4, 0, {}}, {"longer than the steps", 20, 0, {}},
          {"sampled", 20, 0, sampled},         {"written", 20, 0, written},
          {"with a picture", 20, 1, {}},       {"cut short by a limit", 20, 0, limited}};
}

// What is told of a turn of three frames and of a typed one behind it; `ahead`: the first is expected to end.
Told TwoTurns(const Case& one, bool ahead, EngineStatistics* statistics = nullptr) {
  EngineBench bench;
  bench.model.answer_frames = one.frames;
  bench.model.answer_images = one.images;
  const auto owner = bench.Open(one.options);
  owner->Hear({3, 0, 7});
  if (ahead) owner->ExpectTurnEnd();
  bench.RunAll();
  owner->EndTurn();
  bench.RunAll();
  owner->Type("more");
  owner->EndTurn();
  bench.RunAll();
  if (statistics != nullptr) *statistics = bench.loop.statistics();
  return owner->told();
}

TEST(SpeculationTest, KeptItIsTheSameResponse) {
  for (const Case& one : Cases()) {
    SCOPED_TRACE(one.name);
    EngineStatistics statistics;
    EXPECT_EQ(TwoTurns(one, true, &statistics), TwoTurns(one, false));
    EXPECT_EQ(statistics.speculations_kept, 1u);
    EXPECT_EQ(statistics.speculations_dropped, 0u);
    EXPECT_GT(statistics.speculative_steps, 0u);
    EXPECT_EQ(statistics.speculative_steps_wasted, 0u);
  }
}

TEST(SpeculationTest, NothingIsToldBeforeTheTurnIsOverAndThenAllAtOnce) {
  EngineBench bench(WithSteps(8));
  bench.model.answer_frames = 20;
  const auto owner = bench.Open();
  owner->Hear({3, 0, 7});
  bench.RunAll();
  owner->Take();
  owner->ExpectTurnEnd();
  EXPECT_EQ(bench.RunAll(), 8);
  EXPECT_THAT(owner->Take(), IsEmpty());
  int at_the_next_step = -1;
  bench.model.on_forward = [&](const RaggedBatch&) {
    if (at_the_next_step < 0) at_the_next_step = owner->Count("audio");
  };
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(at_the_next_step, 8 - bench.config.speech_lead);
  EXPECT_EQ(owner->Count("audio"), 20);
}

TEST(SpeculationTest, WhoGoesOnSpeakingIsAnsweredAsEver) {
  const auto say = [](bool ahead, EngineStatistics* statistics) {
    EngineBench bench(WithSteps(5));
    const auto owner = bench.Open();
    owner->Hear({3, 0});
    if (ahead) owner->ExpectTurnEnd();
    bench.RunAll();
    owner->Hear({7});
    owner->EndTurn();
    bench.RunAll();
    *statistics = bench.loop.statistics();
    return owner->told();
  };
  EngineStatistics statistics;
  EngineStatistics without;
  EXPECT_EQ(say(true, &statistics), say(false, &without));
  EXPECT_EQ(statistics.speculations_kept, 0u);
  EXPECT_EQ(statistics.speculations_dropped, 1u);
  EXPECT_EQ(statistics.speculative_steps_wasted, 5u);
  EXPECT_EQ(statistics.pages_in_use, without.pages_in_use);
  EXPECT_EQ(without.speculative_steps, 0u);
}

TEST(SpeculationTest, WhatChangesTheAnswerMakesItVoid) {
  SequenceOptions written;
  written.speak = false;
  const std::vector<std::function<void(Owner&)>> changes = {
      [](Owner& owner) { owner.ClearTurn(); },
      [&](Owner& owner) { owner.Configure(written); },
      [](Owner& owner) { owner.Type("and this"); },
      [](Owner& owner) { owner.Show(std::vector<int>(static_cast<size_t>(TinyConfig().image.codes()), 1)); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    SCOPED_TRACE(i);
    const auto say = [&](bool ahead) {
      EngineBench bench;
      const auto owner = bench.Open();
      owner->Hear({3, 0, 7});
      if (ahead) owner->ExpectTurnEnd();
      bench.RunAll();
      changes[i](*owner);
      owner->Hear(i == 0 ? std::vector<int64_t>{5} : std::vector<int64_t>{});
      owner->EndTurn();
      bench.RunAll();
      EXPECT_EQ(bench.loop.statistics().speculations_kept, 0u);
      EXPECT_EQ(bench.loop.statistics().speculations_dropped, ahead ? 1u : 0u);
      return owner->told();
    };
    EXPECT_EQ(say(true), say(false));
  }
}

TEST(SpeculationTest, ACancelledTurnHasNoAnswer) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear({3});
  owner->ExpectTurnEnd();
  bench.RunAll();
  owner->EndTurn();
  owner->Cancel();
  bench.RunAll();
  EXPECT_EQ(owner->Count("done cancelled"), 1);
  EXPECT_EQ(owner->Count("audio") + owner->Count("text"), 0);
  EXPECT_EQ(bench.loop.statistics().speculations_kept, 0u);
}

TEST(SpeculationTest, NothingIsBegunWhenMoreWaitsOrNoTurnIsOpenOrItIsOff) {
  for (const int steps : {8, 0}) {
    EngineBench bench(WithSteps(steps));
    const auto owner = bench.Open();
    owner->ExpectTurnEnd();
    bench.RunAll();
    owner->Hear({3});
    if (steps > 0) {
      owner->ExpectTurnEnd();
      owner->Hear({4});
    }
    bench.RunAll();
    if (steps == 0) owner->ExpectTurnEnd();
    bench.RunAll();
    owner->EndTurn();
    bench.RunAll();
    EXPECT_EQ(owner->Count("done completed"), 1);
    owner->ExpectTurnEnd();
    EXPECT_EQ(bench.RunAll(), 0);
    EXPECT_EQ(bench.loop.statistics().speculative_steps, 0u);
  }
}

TEST(SpeculationTest, HeardWordsOfAKeptAnswerAreTheSame) {
  const auto heard = [](bool ahead) {
    EngineBench bench;
    bench.model.answer_text = bench.tokenizer.Encode("one two three").value();
    bench.model.answer_pieces = static_cast<int64_t>(bench.model.answer_text.size());
    bench.model.answer_frames = 6;
    bench.model.frames_per_word = 2;
    const auto owner = bench.Open();
    owner->Type("count");
    if (ahead) owner->ExpectTurnEnd();
    bench.RunAll();
    owner->EndTurn();
    bench.RunAll();
    owner->CutResponse(3);
    bench.RunAll();
    EXPECT_EQ(bench.loop.statistics().speculations_kept, ahead ? 1u : 0u);
    return owner->told();
  };
  const Told told = heard(true);
  EXPECT_EQ(told, heard(false));
  EXPECT_EQ(told.back(), "1 cut 3 'one'");
}

TEST(SpeculationTest, OthersAreServedInTheNextStep) {
  EngineBench bench;
  bench.model.answer_frames = 20;
  const auto owner = bench.Open();
  const auto other = bench.Open();
  owner->Hear({3});
  bench.RunAll();
  owner->ExpectTurnEnd();
  ASSERT_TRUE(bench.loop.RunOnce());
  other->Hear({5});
  ASSERT_TRUE(bench.loop.RunOnce());
  EXPECT_EQ(other->room(), 1) << "it was run";
}

TEST(SpeculationTest, ItsPagesGoToWhoeverNeedsThem) {
  EngineOptions options = EngineBench::SmallOptions();
  options.kv_pages = 6;  // 24 positions
  EngineBench bench(options);
  const auto owner = bench.Open();
  const auto other = bench.Open();
  owner->Hear({3});
  owner->ExpectTurnEnd();
  bench.RunAll();
  ASSERT_GT(bench.loop.statistics().speculative_steps, 0u);
  other->Hear(std::vector<int64_t>(9, 5));  // 10 positions
  bench.RunAll();
  EXPECT_THAT(other->told(), Not(testing::Contains(HasSubstr("refused"))));
  EXPECT_EQ(other->room(), 9);
  EXPECT_EQ(bench.loop.statistics().speculations_dropped, 1u);
  other->Close();
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("done completed"), 1);
}

TEST(SpeculationTest, AFaultInItIsNobodysBusiness) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear({3});
  bench.RunAll();
  owner->Take();
  bench.model.on_forward = [](const RaggedBatch&) { throw std::runtime_error("no such kernel"); };
  owner->ExpectTurnEnd();
  bench.RunAll();
  EXPECT_THAT(owner->Take(), IsEmpty());
  bench.model.on_forward = nullptr;
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Count("done completed"), 1);
}

}  // namespace
}  // namespace antiphon
