// The engine on a real language model (tests/golden/tiny_model: random weights, real arithmetic): what a
// sequence says does not depend on company, forks or detours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/sequence_state.h"
#include "engine/step.h"
#include "model/language_model.h"
#include "model/safetensors.h"
#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using Told = std::vector<std::string>;

std::unique_ptr<LanguageModel> LoadTinyModel(const ModelConfig& config) {
  const auto weights = Safetensors::Open(ANTIPHON_SOURCE_DIR "/tests/golden/tiny_model/backbone.safetensors");
  return LanguageModel::Load(weights.value(), config, torch::kCPU).value();
}

struct TinyBench {
  TinyBench()
      : config(TinyConfig()),
        tokenizer(TinyTokenizer(config)),
        model(LoadTinyModel(config)),
        codec(config),
        loop({*model, codec, tokenizer, clock}, EngineBench::SmallOptions()) {}

  void RunAll() {
    for (int step = 0; step < 5000 && loop.RunOnce(); ++step) {
    }
  }

  ModelConfig config;
  ManualClock clock;
  TextTokenizer tokenizer;
  std::unique_ptr<LanguageModel> model;
  FakeCodec codec;
  EngineLoop loop;
};

SequenceOptions OptionsOf(int64_t variant) {
  SequenceOptions options;
  options.max_response_frames = 12;
  options.max_response_pieces = 20;
  options.speak = variant % 3 != 2;
  if (variant % 2 == 1) {
    options.sampling.temperature = 0.9f;
    options.sampling.top_p = 0.95f;
    options.sampling.repetition_penalty = 1.2f;
    options.sampling.seed = 100 + static_cast<uint64_t>(variant);
  }
  return options;
}

// Owner `i` of several; what it says depends on the number.
struct Speaker {
  Speaker(TinyBench& bench, int64_t i)
      : number(i), owner(bench.loop, bench.codec, bench.tokenizer, bench.clock, OptionsOf(i)) {}
  int64_t number;
  Owner owner;
};

// A spoken turn and a typed one by each speaker, at the same time.
void TakeTwoTurns(TinyBench& bench, const std::vector<std::unique_ptr<Speaker>>& speakers) {
  for (int64_t frame = 0; frame < 9; ++frame) {
    for (const auto& speaker : speakers) speaker->owner.Hear({(frame * 7 + speaker->number * 3) % 40});
    bench.loop.RunOnce();
  }
  for (const auto& speaker : speakers) speaker->owner.EndTurn();
  bench.RunAll();
  for (const auto& speaker : speakers) {
    speaker->owner.Type("turn two of sequence " + std::to_string(speaker->number));
    speaker->owner.EndTurn();
  }
  bench.RunAll();
}

TEST(TinyModelTest, ASequenceSaysTheSameAloneAndAmongSevenOthers) {
  TinyBench together;
  std::vector<std::unique_ptr<Speaker>> all;
  for (int64_t i = 0; i < 8; ++i) all.push_back(std::make_unique<Speaker>(together, i));
  TakeTwoTurns(together, all);
  EXPECT_LT(together.loop.statistics().steps, 150u) << "they were not batched";

  for (int64_t i = 0; i < 8; ++i) {
    TinyBench apart;
    std::vector<std::unique_ptr<Speaker>> one;
    one.push_back(std::make_unique<Speaker>(apart, i));
    TakeTwoTurns(apart, one);
    EXPECT_EQ(one[0]->owner.Count("done"), 2);
    EXPECT_EQ(all[static_cast<size_t>(i)]->owner.told(), one[0]->owner.told()) << "speaker " << i;
  }
}

TEST(TinyModelTest, AClearedTurnLeavesNoTrace) {
  const auto told = [](bool detour) {
    TinyBench bench;
    SequenceOptions options = OptionsOf(1);
    options.semantic_turns = false;  // random weights may take any turn for over
    Owner owner(bench.loop, bench.codec, bench.tokenizer, bench.clock, options);
    owner.Type("first turn");
    owner.EndTurn();
    bench.RunAll();
    if (detour) {
      owner.Hear({5, 6, 7, 8, 9, 10});
      bench.RunAll();
      owner.ClearTurn();
      bench.RunAll();
    }
    owner.Take();
    owner.Hear({11, 12, 13});
    owner.EndTurn();
    bench.RunAll();
    Told all = owner.Take();
    for (std::string& event : all) event.erase(0, 1);
    return all;
  };
  EXPECT_EQ(told(true), told(false));
}

// Forks are made of SequenceState alone; this drives steps by hand.
class ForkTest : public testing::Test {
 protected:
  ForkTest()
      : config_(TinyConfig()),
        model_(LoadTinyModel(config_)),
        codec_(config_),
        grammar_(config_),
        runner_(*model_, codec_, grammar_, clock_),
        pages_(64, 4),
        pool_(model_->MakePool(64, 4)) {}

  void Run(SequenceState& state, StepItem item, int64_t rows) {
    ASSERT_TRUE(state.pages.Reserve(rows, [&](const PageCopy& copy) { CopyPage(copy, pool_); }));
    item.state = &state;
    std::vector<StepItem> items;
    items.push_back(std::move(item));
    runner_.Run(items, pool_);
    ASSERT_EQ(static_cast<int64_t>(items[0].positions.size()), rows);
    Commit(std::move(items[0]), &state);
  }

  void Hear(SequenceState& state, int64_t code) {
    const std::vector<float> sound = codec_.Sound(code);
    StepItem item;
    item.samples = sound;
    Run(state, std::move(item), state.length() == 0 ? 2 : 1);
  }

  void BeginResponse(SequenceState& state) {
    grammar_.BeginResponse(true, {.max_pieces = 9, .max_frames = 9}, &state.stream);
  }
  void Answer(SequenceState& state, int steps) {
    for (int step = 0; step < steps && state.stream.in_response(); ++step) Run(state, StepItem{}, 1);
  }

  // What was read, as far as it depends on what was written.
  static std::vector<std::vector<int64_t>> Tokens(const SequenceState& state) {
    std::vector<std::vector<int64_t>> tokens;
    for (const StreamPosition& position : state.positions) {
      tokens.push_back({position.symbol});
      tokens.back().insert(tokens.back().end(), position.heard.begin(), position.heard.end());
      tokens.back().insert(tokens.back().end(), position.spoken.begin(), position.spoken.end());
    }
    return tokens;
  }

  const ModelConfig config_;
  const std::unique_ptr<LanguageModel> model_;
  const FakeCodec codec_;
  const StreamGrammar grammar_;
  const ManualClock clock_;
  const StepRunner runner_;
  PagePool pages_;
  KvPool pool_;
};

TEST_F(ForkTest, AForkGoesOnByItselfAndLeavesTheOriginal) {
  SequenceState undisturbed(&pages_, codec_);
  for (const int64_t code : {1, 2, 3, 4, 5}) Hear(undisturbed, code);
  BeginResponse(undisturbed);
  Answer(undisturbed, 10);

  SequenceState original(&pages_, codec_);
  for (const int64_t code : {1, 2, 3, 4, 5}) Hear(original, code);
  SequenceState speculation = original;  // an answer before the turn is over
  BeginResponse(speculation);
  Answer(speculation, 6);
  SequenceState other = original;  // and another way the turn might go on
  for (const int64_t code : {9, 8, 7}) Hear(other, code);
  BeginResponse(original);
  Answer(original, 10);
  Answer(speculation, 4);

  EXPECT_EQ(Tokens(original), Tokens(undisturbed));
  EXPECT_EQ(Tokens(speculation), Tokens(undisturbed));
  EXPECT_EQ(original.stream, speculation.stream);
  EXPECT_NE(Tokens(other), Tokens(original));
  EXPECT_EQ(static_cast<int64_t>(original.positions.size()), original.length());
}

TEST_F(ForkTest, DroppedForksFreeTheirPages) {
  SequenceState original(&pages_, codec_);
  for (int64_t code = 0; code < 10; ++code) Hear(original, code);
  const int32_t before = pages_.pages_in_use();
  {
    SequenceState fork = original;
    EXPECT_EQ(pages_.pages_in_use(), before);  // nothing is copied yet
    for (int64_t code = 0; code < 10; ++code) Hear(fork, code);
    EXPECT_GT(pages_.pages_in_use(), before);
  }
  EXPECT_EQ(pages_.pages_in_use(), before);
}

}  // namespace
}  // namespace antiphon
