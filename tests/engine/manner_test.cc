// How answers are spoken: who decides it, from when on, and what that does to deadlines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "engine/engine_impl.h"
#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

SequenceOptions Speaking(SpeechManner manner) {
  SequenceOptions options;
  options.manner = manner;
  return options;
}

void Ask(EngineBench& bench, Owner& owner) {
  owner.Type("hello");
  owner.EndTurn();
  bench.RunAll();
}

TEST(MannerTest, FramesAreAsLongAsTheSpeedOfTheSequenceSays) {
  EngineBench bench;
  const auto slow = bench.Open(Speaking({.speed = SpeechSpeed::kSlow}));
  const auto normal = bench.Open();
  const auto fast = bench.Open(Speaking({.speed = SpeechSpeed::kFast}));
  for (const auto* owner : {&slow, &normal, &fast}) {
    (*owner)->Type("hello");
    (*owner)->EndTurn();
  }
  bench.RunAll();  // all in the same steps
  EXPECT_EQ(slow->Count("of 1600"), 4);
  EXPECT_EQ(normal->Count("of 1280"), 4);
  EXPECT_EQ(fast->Count("of 1024"), 4);
}

TEST(MannerTest, AChangeTakesEffectAtTheNextResponse) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Type("hello");
  owner->EndTurn();
  while (!owner->Heard("audio")) ASSERT_TRUE(bench.loop.RunOnce());
  owner->Configure(Speaking({.speed = SpeechSpeed::kFast}));
  bench.RunAll();
  EXPECT_EQ(owner->Count("of 1280"), 4);
  Ask(bench, *owner);
  EXPECT_EQ(owner->Count("of 1024"), 4);
}

TEST(MannerTest, TheModelsChoiceIsToldAndChangesNothingByItself) {
  EngineBench bench;
  bench.model.answer_manner = {bench.config.manner.voices[1], bench.config.manner.speeds[2]};
  const auto owner = bench.Open();
  Ask(bench, *owner);
  EXPECT_EQ(owner->Count("1 manner low"), 1);
  EXPECT_EQ(owner->Count("1 manner fast"), 1);
  EXPECT_THAT(owner->told().back(), HasSubstr("done completed OK 3+4")) << "they are no text";
  Ask(bench, *owner);
  EXPECT_EQ(owner->Count("of 1280"), 8);
}

TEST(MannerTest, AWrittenAnswerMayChooseToo) {
  EngineBench bench;
  bench.model.answer_manner = {bench.config.manner.speeds[0]};
  SequenceOptions written;
  written.speak = false;
  const auto owner = bench.Open(written);
  Ask(bench, *owner);
  EXPECT_EQ(owner->Count("manner slow"), 1);
}

TEST(MannerTest, ACodecWithoutMannersSpeaksAsEver) {
  EngineBench bench;
  bench.codec.manners = false;
  const auto owner = bench.Open(Speaking({SpeechVoice::kLow, SpeechSpeed::kFast}));
  Ask(bench, *owner);
  EXPECT_EQ(owner->Count("of 1280"), 4);
}

// Misses of a sequence that gets a frame every `step_ms`.
uint64_t Misses(SpeechSpeed speed, int step_ms) {
  EngineBench bench;
  const auto owner = bench.Open(Speaking({.speed = speed}));
  bench.model.on_forward = [&](const RaggedBatch&) {
    if (owner->Heard("ended")) bench.clock.Advance(milliseconds(step_ms));
  };
  Ask(bench, *owner);
  EXPECT_EQ(owner->Count("audio"), 4);
  return bench.loop.statistics().deadline_misses;
}

TEST(MannerTest, FastSpeechUsesItsMarginUpSooner) {
  // A frame lasts for 100, 80 or 64 ms; the three after the first can be late.
  EXPECT_EQ(Misses(SpeechSpeed::kFast, 63), 0u);
  EXPECT_EQ(Misses(SpeechSpeed::kFast, 70), 3u);
  EXPECT_EQ(Misses(SpeechSpeed::kNormal, 70), 0u);
  EXPECT_EQ(Misses(SpeechSpeed::kNormal, 90), 3u);
  EXPECT_EQ(Misses(SpeechSpeed::kSlow, 90), 0u);
}

TEST(MannerTest, AModelThatChoosesMannersNeedsACodecThatHasThem) {
  const ModelConfig config = TinyConfig();
  const auto modules = [&](bool manners) {
    auto codec = std::make_unique<FakeCodec>(config);
    codec->manners = manners;
    return EngineModules{std::make_unique<FakeModel>(config), std::move(codec), TinyTokenizer(config),
                         std::make_unique<FakeImageCodec>(config.image)};
  };
  const auto refused = StartEngine(modules(false), EngineBench::SmallOptions(), SystemClock::Get());
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  const auto started = StartEngine(modules(true), EngineBench::SmallOptions(), SystemClock::Get());
  ASSERT_TRUE(started.ok()) << started.status().ToString();
  EXPECT_TRUE((*started)->model().manners);
}

}  // namespace
}  // namespace antiphon
