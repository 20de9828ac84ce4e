// What the loop owes several sequences at once: separation, order, and going on when something breaks.
#include "engine/engine_loop.h"

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using testing::Each;
using testing::SizeIs;
using testing::StartsWith;

using Told = std::vector<std::string>;

// Two turns, different for each `variant`.
void TakeTwoTurns(EngineBench& bench, Owner& owner, int64_t variant) {
  owner.Hear({0, 2 + variant, 0, 11 + variant, 1});
  bench.RunAll();
  owner.Type("number " + std::to_string(variant));
  owner.EndTurn();
  bench.RunAll();
}

Told Alone(int64_t variant) {
  EngineBench bench;
  const auto owner = bench.Open();
  TakeTwoTurns(bench, *owner, variant);
  return owner->told();
}

// True for batches in which a sequence hears a frame of `code`.
bool Hears(const RaggedBatch& batch, int64_t code) {
  const size_t codebooks = TinyConfig().codebook_sizes.size();
  for (size_t i = 0; i < batch.heard.codes.size(); i += codebooks) {
    if (batch.heard.codes[i] == code) return true;
  }
  return false;
}

TEST(EngineLoopTest, SequencesThatRunTogetherDoNotMix) {
  EngineBench bench;
  std::vector<std::unique_ptr<Owner>> owners;
  for (int64_t i = 0; i < 8; ++i) owners.push_back(bench.Open());
  size_t most = 0;
  bench.model.on_forward = [&](const RaggedBatch& batch) { most = std::max(most, batch.spans.size()); };
  for (int64_t i = 0; i < 8; ++i) owners[i]->Hear({0, 2 + i, 0, 11 + i, 1});
  bench.RunAll();
  for (int64_t i = 0; i < 8; ++i) {
    owners[i]->Type("number " + std::to_string(i));
    owners[i]->EndTurn();
  }
  bench.RunAll();
  EXPECT_EQ(most, 8u) << "they were not batched at all";
  for (int64_t i = 0; i < 8; ++i) EXPECT_EQ(owners[i]->told(), Alone(i)) << "sequence " << i;
}

TEST(EngineLoopTest, WhenWorkArrivesDoesNotChangeWhatIsSaid) {
  std::mt19937 random(3);
  for (int round = 0; round < 10; ++round) {
    EngineBench bench;
    std::vector<std::unique_ptr<Owner>> owners;
    for (int64_t i = 0; i < 4; ++i) owners.push_back(bench.Open());
    for (int64_t frame = 0; frame < 5; ++frame) {
      for (int64_t i = 0; i < 4; ++i) {
        const std::vector<int64_t> frames = {0, 2 + i, 0, 11 + i, 1};
        owners[i]->Hear({frames[frame]});
        for (size_t step = random() % 3; step > 0; --step) bench.loop.RunOnce();
      }
    }
    bench.RunAll();
    for (int64_t i = 0; i < 4; ++i) {
      Told alone = Alone(i);
      alone.resize(owners[i]->told().size());
      EXPECT_EQ(owners[i]->told(), alone);
    }
  }
}

TEST(EngineLoopTest, TypedTextIsRunInChunksBetweenOtherWork) {
  EngineOptions options = EngineBench::SmallOptions();
  options.max_batch_positions = 6;
  EngineBench bench(options);
  int64_t most = 0;
  bench.model.on_forward = [&](const RaggedBatch& batch) { most = std::max(most, batch.rows()); };
  const auto typing = bench.Open();
  typing->Type("a long text that has many more pieces than one step may have positions");
  typing->EndTurn();
  const auto hearing = bench.Open();
  hearing->Hear({0, 5, 1});
  bench.RunAll();
  EXPECT_EQ(most, 6);
  EXPECT_EQ(typing->Count("1 done completed"), 1);
  EXPECT_EQ(hearing->Count("1 done completed"), 1);
  // The same text in one piece gets the same answer.
  EngineBench whole;
  const auto alone = whole.Open();
  alone->Type("a long text that has many more pieces than one step may have positions");
  alone->EndTurn();
  whole.RunAll();
  EXPECT_EQ(typing->told(), alone->told());
}

TEST(EngineLoopTest, FirstAudioDoesNotWaitForVoicesThatAreAhead) {
  EngineOptions options = EngineBench::SmallOptions();
  EngineBench bench(options);
  bench.model.answer_frames = 200;
  // Company is never free.
  bench.model.on_forward = [&](const RaggedBatch& batch) {
    bench.clock.Advance(milliseconds(6) * batch.rows());
  };
  const auto ahead = bench.Open();
  ahead->Hear({0, 1});
  while (ahead->Count("audio") < 60) ASSERT_TRUE(bench.loop.RunOnce());
  const auto late = bench.Open();
  late->Hear({0, 1});
  int steps = 0;
  while (!late->Heard("audio")) {
    ASSERT_TRUE(bench.loop.RunOnce());
    ++steps;
  }
  // Two heard frames, `<assistant>`, one lead position, frame 0.
  EXPECT_LE(steps, 5);
  EXPECT_LE(ahead->Count("audio"), 62);
}

TEST(EngineLoopTest, AStepThatFailsHurtsOnlyTheSequenceThatCausedIt) {
  EngineBench bench;
  const auto poison = bench.Open();
  const auto first = bench.Open();
  const auto second = bench.Open();
  bench.model.on_forward = [](const RaggedBatch& batch) { TORCH_CHECK(!Hears(batch, 30), "cannot bear it"); };
  poison->Hear({0, 30, 0, 1});
  first->Hear({0, 2, 0, 11, 1});
  second->Hear({0, 3, 0, 12, 1});
  bench.RunAll();
  EXPECT_EQ(poison->Count("1 refused INTERNAL"), 1);
  EXPECT_EQ(poison->Count("1 ended model '' 3+0"), 1) << "the turn did not go on without that frame";
  Told alone = Alone(0);
  alone.resize(first->told().size());
  EXPECT_EQ(first->told(), alone);
  alone = Alone(1);
  alone.resize(second->told().size());
  EXPECT_EQ(second->told(), alone);
  EXPECT_THAT(first->told().back(), StartsWith("1 done completed"));
}

TEST(EngineLoopTest, AResponseThatFailsEndsAsFailedAndTheNextTurnWorks) {
  EngineBench bench;
  const auto owner = bench.Open();
  int answers = 0;
  bench.model.on_forward = [&](const RaggedBatch& batch) {
    if (!batch.spoken.rows.empty() && ++answers == 2) throw std::bad_alloc();
  };
  owner->Hear({0, 5, 1});
  bench.RunAll();
  EXPECT_THAT(owner->Take().back(), StartsWith("1 done failed RESOURCE_EXHAUSTED"));
  owner->Hear({0, 5, 1});
  bench.RunAll();
  EXPECT_THAT(owner->Take().back(), StartsWith("2 done completed OK 3+4"));
}

TEST(EngineLoopTest, AStepThatIsRunAgainLeavesNoTraceOfTheFirstTry) {
  EngineBench bench;
  const auto owners = {bench.Open(), bench.Open()};
  int forwards = 0;
  bench.model.on_forward = [&](const RaggedBatch& batch) {
    // Every batch of two fails, so that all that both say was tried twice.
    if (batch.spans.size() == 2) ++forwards;
    TORCH_CHECK(batch.spans.size() < 2, "no company");
  };
  for (const auto& owner : owners) owner->Hear({0, 2, 0, 11, 1});
  bench.RunAll();
  EXPECT_GT(forwards, 5);
  Told alone = Alone(0);
  for (const auto& owner : owners) {
    alone.resize(owner->told().size());
    EXPECT_EQ(owner->told(), alone);
  }
}

TEST(EngineLoopTest, WithoutPagesTheOneThatNeedsThemFails) {
  EngineOptions options = EngineBench::SmallOptions();
  options.kv_pages = 4;  // 16 positions
  EngineBench bench(options);
  const auto first = bench.Open();
  first->Hear({0, 5, 0, 9, 1});  // 13 positions with the answer
  bench.RunAll();
  EXPECT_EQ(first->Count("done completed"), 1);
  const auto second = bench.Open();
  second->Hear({0, 5});
  bench.RunAll();
  EXPECT_THAT(second->told(), Each(StartsWith("0 refused RESOURCE_EXHAUSTED")));
  EXPECT_THAT(second->told(), SizeIs(1));
  first->Type("more than there is room for");
  bench.RunAll();
  EXPECT_EQ(first->told().back(), "1 refused RESOURCE_EXHAUSTED");

  first->Close();
  second->Hear({0, 5, 1});
  bench.RunAll();
  EXPECT_EQ(second->Count("1 done completed"), 1);
}

TEST(EngineLoopTest, AResponseOutOfPagesFails) {
  EngineOptions options = EngineBench::SmallOptions();
  options.kv_pages = 2;  // 8 positions
  EngineBench bench(options);
  const auto owner = bench.Open();
  owner->Hear({0, 5, 0, 9, 1});
  bench.RunAll();
  EXPECT_EQ(owner->told().back(), "1 done failed RESOURCE_EXHAUSTED 2+0 at 8");
}

TEST(EngineLoopTest, CountsWhatItDid) {
  EngineBench bench;
  const auto owner = bench.Open();
  owner->Hear({0, 5, 0, 9, 1});
  bench.RunAll();
  const EngineStatistics statistics = bench.loop.statistics();
  EXPECT_EQ(statistics.steps, 12u);  // `<bos>` goes along with the first frame
  EXPECT_EQ(statistics.positions, 13u);
  EXPECT_EQ(statistics.spoken_frames, 4u);
  EXPECT_EQ(statistics.deadline_misses, 0u);
  EXPECT_EQ(statistics.pages_in_use, 4);
}

TEST(EngineLoopTest, AFrameThatCameLateHasItsTimeFromThere) {
  for (const int step_ms : {30, 90}) {
    EngineBench bench;
    bench.model.on_forward = [&](const RaggedBatch&) { bench.clock.Advance(milliseconds(step_ms)); };
    const auto owner = bench.Open();
    bench.clock.Advance(milliseconds(1000));
    owner->HearLate({0, 5}, milliseconds(400));  // what was said before the voice was one
    bench.RunAll();
    EXPECT_EQ(bench.loop.statistics().timed_frames, 2u);
    EXPECT_EQ(bench.loop.statistics().deadline_misses, step_ms == 30 ? 0u : 2u);
  }
}

TEST(EngineLoopTest, CountsDeadlinesThatWereMissed) {
  EngineBench bench;
  bench.model.on_forward = [&](const RaggedBatch&) { bench.clock.Advance(milliseconds(100)); };
  const auto owner = bench.Open();
  owner->Hear({0, 5, 1});  // all three heard at once: none within 80 ms of its arrival
  bench.RunAll();
  // The first frame meets its 300 ms; the three after it come every 100 ms and are played every 80.
  EXPECT_EQ(bench.loop.statistics().deadline_misses, 3u + 3u);
  EXPECT_EQ(bench.loop.statistics().timed_frames, 3u + 4u);
  EXPECT_NEAR(bench.loop.statistics().step_ms_average, 100.0, 1.0);
}

TEST(EngineLoopTest, ARecordingSentAtOnceDoesNotDelayThoseWhoSpeak) {
  EngineOptions options = EngineBench::SmallOptions();
  options.max_batch_positions = 2;  // no room for both in a step
  EngineBench bench(options);
  const auto recording = bench.Open();
  const auto speaker = bench.Open();
  int steps = 0, answered = 0;
  bench.model.on_forward = [&](const RaggedBatch&) {
    ++steps;
    if (answered == 0 && speaker->Heard("ended")) answered = steps;
  };
  recording->Hear(std::vector<int64_t>(12, 0));
  speaker->Hear({1});
  bench.RunAll();
  EXPECT_LE(answered, 4);  // its one frame ran after the first or second of the recording's
  EXPECT_GT(steps, 12);
}

// A step takes 8 ms and 4 ms a row: two sequences that speak side by side still have time in 80 ms.
void CostTime(EngineBench& bench) {
  bench.model.on_forward = [&bench](const RaggedBatch& batch) {
    bench.clock.Advance(milliseconds(8) + milliseconds(4) * batch.rows());
  };
}

TEST(EngineLoopTest, AConversationKeepsItsDeadlinesNextToBestEffort) {
  EngineBench bench;
  bench.model.answer_frames = 40;
  CostTime(bench);
  std::vector<std::unique_ptr<Owner>> bulk;
  for (int i = 0; i < 4; ++i) {
    bulk.push_back(bench.Open({.best_effort = true}));
    bulk.back()->Hear(std::vector<int64_t>(60, 0));
    bulk.back()->EndTurn();
  }
  const auto live = bench.Open();
  for (int i = 0; i < 20; ++i) {
    live->Hear({i < 19 ? 0 : 1});
    const TimePoint next = bench.clock.Now() + milliseconds(80);
    while (bench.clock.Now() < next) {
      if (!bench.loop.RunOnce()) bench.clock.Advance(milliseconds(1));
    }
  }
  bench.RunAll();
  EXPECT_EQ(live->Count("audio"), 40);
  EXPECT_EQ(bench.loop.statistics().deadline_misses, 0u);
  for (const auto& owner : bulk) {
    EXPECT_EQ(owner->Count("done completed"), 1);
    EXPECT_EQ(owner->Count("audio"), 40);
  }
}

TEST(EngineLoopTest, BestEffortStaysWhatItWasOpenedAs) {
  EngineBench bench;
  bench.model.on_forward = [&](const RaggedBatch&) { bench.clock.Advance(milliseconds(500)); };
  const auto bulk = bench.Open({.best_effort = true});
  bulk->Configure({});
  bulk->Hear({0, 5, 1});
  bench.RunAll();
  EXPECT_EQ(bulk->Count("done completed"), 1);
  EXPECT_EQ(bench.loop.statistics().deadline_misses, 0u) << "there are none to miss";
}

TEST(EngineLoopTest, TheCostOfStepsIsLearnt) {
  EngineBench bench;
  bench.model.on_forward = [&](const RaggedBatch& batch) {
    bench.clock.Advance(milliseconds(4) + milliseconds(batch.rows()));
  };
  const auto owner = bench.Open();
  for (const char* text : {"one", "one two three", "a b c d e f g h i j k l m n"}) {
    owner->Type(text);
    bench.RunAll();
  }
  EXPECT_NEAR(Milliseconds(bench.loop.cost().Predict({.rows = 10, .heard = 0, .spoken = 0})), 14.0, 0.5);
}

TEST(EngineLoopTest, AFullPortRefusesUntilItsFramesWereRun) {
  EngineBench bench;
  const auto owner = bench.Open({}, {.frames = 3, .pieces = 4});
  owner->Hear({0, 5, 0});
  EXPECT_EQ(owner->TryHear(0).code(), StatusCode::kResourceExhausted);
  ASSERT_TRUE(bench.loop.RunOnce());
  EXPECT_EQ(owner->TryHear(9), OkStatus());
  EXPECT_EQ(owner->TryHear(1).code(), StatusCode::kResourceExhausted);
  bench.RunAll();
  EXPECT_EQ(owner->TryHear(1), OkStatus());
  bench.RunAll();
  EXPECT_EQ(owner->told(), [] {
    EngineBench other;
    const auto alone = other.Open();
    alone->Hear({0, 5, 0, 9, 1});
    other.RunAll();
    return alone->told();
  }());
}

// Run, run into the end of a turn, heard during a response, cleared, refused: each is counted once.
TEST(EngineLoopTest, EveryFrameThatWasTakenIsGivenBackOnce) {
  EngineBench bench(EngineBench::SmallOptions(), 24);
  const auto owner = bench.Open();
  int posted = 0;
  const auto hear = [&](const std::vector<int64_t>& codes) {
    owner->Hear(codes);
    posted += static_cast<int>(codes.size());
  };
  hear({0, 5, 0, 9, 1, 0, 0});  // the last two wait when the model ends the turn
  while (!owner->Heard("audio")) ASSERT_TRUE(bench.loop.RunOnce());
  EXPECT_EQ(owner->room(), posted);
  hear({5, 5});
  bench.RunAll();
  EXPECT_EQ(owner->room(), posted);
  hear({7, 7, 7});
  bench.loop.RunOnce();
  owner->ClearTurn();
  bench.RunAll();
  EXPECT_EQ(owner->room(), posted);
  hear(std::vector<int64_t>(20, 0));  // more than the context has room for
  bench.RunAll();
  EXPECT_TRUE(owner->Heard("refused RESOURCE_EXHAUSTED"));
  EXPECT_EQ(owner->room(), posted);
}

TEST(EngineLoopTest, StepsAreCountedBySize) {
  EngineOptions options = EngineBench::SmallOptions();
  options.max_batch_positions = 1024;
  EngineBench bench(options, 1024);
  std::vector<int64_t> sizes;
  bench.model.on_forward = [&](const RaggedBatch& batch) { sizes.push_back(batch.rows()); };
  const auto owner = bench.Open();
  std::string text = "a few";
  for (const size_t words : {1, 4, 30, 105}) {
    for (size_t i = 0; i < words; ++i) text += " more";
    owner->Type(text);
    bench.RunAll();
  }
  owner->EndTurn();
  bench.RunAll();
  ASSERT_GT(*std::max_element(sizes.begin(), sizes.end()), 512);
  ASSERT_EQ(*std::min_element(sizes.begin(), sizes.end()), 1);

  decltype(EngineStatistics::steps_by_size) expected{};
  uint64_t positions = 0;
  for (const int64_t size : sizes) {
    size_t place = 0;
    while (place + 1 < expected.size() && (int64_t{1} << place) < size) ++place;
    ++expected[place];
    positions += static_cast<uint64_t>(size);
  }
  const EngineStatistics statistics = bench.loop.statistics();
  EXPECT_EQ(statistics.steps_by_size, expected);
  EXPECT_EQ(statistics.steps, sizes.size());
  EXPECT_EQ(statistics.positions, positions);
}

TEST(EngineLoopTest, TheTimeOfStepsIsAddedUp) {
  EngineBench bench;
  bench.model.on_forward = [&](const RaggedBatch&) { bench.clock.Advance(milliseconds(2)); };
  const auto owner = bench.Open();
  owner->Type("hello");
  owner->EndTurn();
  bench.RunAll();
  const EngineStatistics statistics = bench.loop.statistics();
  EXPECT_GT(statistics.steps, 1u);
  EXPECT_DOUBLE_EQ(statistics.step_ms_total, 2.0 * static_cast<double>(statistics.steps));
  EXPECT_DOUBLE_EQ(statistics.step_ms_average, 2.0);
}

TEST(EngineLoopTest, ThePoolsSizeIsKnownWhateverIsForgotten) {
  EngineBench bench;
  EXPECT_EQ(bench.loop.statistics().pages, 256);
  const auto owner = bench.Open();
  owner->Type("hello");
  bench.RunAll();
  EXPECT_GT(bench.loop.statistics().steps, 0u);
  bench.loop.ForgetStatistics();
  EXPECT_EQ(bench.loop.statistics().steps, 0u);
  EXPECT_EQ(bench.loop.statistics().pages, 256);
}

}  // namespace
}  // namespace antiphon
