// The engine on a real language model (tests/golden/tiny_model: random weights, real arithmetic): what a
// sequence says does not depend on company, forks or detours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
  return LanguageModel::Load(weights.value(), config, at::kCPU).value();
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

TEST(TinyModelTest, AForkAndAnAnswerBegunAheadChangeNothing) {
  for (int64_t variant = 0; variant < 4; ++variant) {
    SCOPED_TRACE(variant);
    const auto told = [variant](bool with) {
      TinyBench bench;
      SequenceOptions options = OptionsOf(variant);
      options.semantic_turns = false;
      Owner owner(bench.loop, bench.codec, bench.tokenizer, bench.clock, options);
      owner.Type("first turn");
      owner.EndTurn();
      bench.RunAll();
      std::unique_ptr<Owner> fork;
      if (with) fork = std::make_unique<Owner>(owner, ForkOptions{.heard_frames = 3, .first_turn = 50});
      owner.Hear({11, 12, 13});
      if (with) {
        fork->Hear({5, 6});
        owner.ExpectTurnEnd();
      }
      bench.RunAll();
      owner.EndTurn();
      if (with) fork->EndTurn();
      bench.RunAll();
      EXPECT_EQ(bench.loop.statistics().speculations_kept, with ? 1u : 0u);
      EXPECT_TRUE(!with || fork->Count("50 done") == 1);
      return owner.told();
    };
    EXPECT_EQ(told(true), told(false));
  }
}

// 200 frames of video in one conversation: it grows by what was said and by the frames that stay.
TEST(TinyModelTest, TwoHundredVideoFramesDoNotFillTheContext) {
  constexpr int64_t kPictureRows = 11;
  constexpr int64_t kMostFrames = 3;
  const auto talk = [&](bool video) {
    TinyBench bench;
    SequenceOptions options;
    options.semantic_turns = false;
    options.speak = false;
    options.max_response_pieces = 3;
    options.max_response_images = 0;
    options.max_video_frames = static_cast<int>(kMostFrames);
    Owner owner(bench.loop, bench.codec, bench.tokenizer, bench.clock, options);
    std::vector<int64_t> lengths;
    int shown = 0;
    for (int frame = 0; frame < 200; ++frame) {
      if (video) owner.ShowVideo(std::vector<int>(9, frame % 12));
      if (frame % 2 == 0) owner.Hear({frame % 40});
      bench.RunAll();
      EXPECT_LE(bench.loop.statistics().pages_in_use, 512 / 4);
      if (frame % 20 != 19) continue;
      owner.EndTurn();
      bench.RunAll();
      const std::string& done = owner.told().back();
      EXPECT_THAT(done, testing::HasSubstr(" done "));
      EXPECT_THAT(done, testing::Not(testing::HasSubstr("failed")));
      lengths.push_back(std::stoll(done.substr(done.rfind(' '))));
      EXPECT_EQ(bench.loop.statistics().pages_in_use, (lengths.back() + 3) / 4);
    }
    for (const std::string& event : owner.told()) {
      if (const size_t at = event.find(" video "); at != std::string::npos)
        shown += std::stoi(event.substr(at + 7));
    }
    EXPECT_EQ(shown, video ? 200 : 0);
    EXPECT_EQ(owner.Count("refused"), 0);
    return lengths;
  };
  const std::vector<int64_t> with = talk(true);
  ASSERT_EQ(with.size(), 10u);
  // Of each turn what was heard, `<user>`, `<assistant>`, at most 3 pieces, a speed, a voice and `<end>`.
  for (size_t turn = 0; turn < with.size(); ++turn) {
    EXPECT_LE(with[turn],
              1 + static_cast<int64_t>(turn + 1) * (10 + 1 + 1 + 3 + 2 + 1) + kMostFrames * kPictureRows);
  }
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

// A picture that leaves: the first layer, which reads the input alone, is then as if it had never been there.
// The keys and values of layers above have made of it what they have.
TEST_F(ForkTest, APictureLeavesTheCacheAndForksKeepIt) {
  const std::vector<int64_t> picture = grammar_.ImageSymbols(std::vector<int>(9, 3));
  const std::vector<int64_t> words = {6, 9, 12, 7, 30};
  const auto type = [&](SequenceState& state, const std::vector<int64_t>& pieces) {
    StepItem item;
    item.pieces = pieces;
    Run(state, std::move(item), static_cast<int64_t>(pieces.size()));
  };
  const auto row = [&](const std::vector<at::Tensor>& tensors, size_t layer, const SequenceState& state,
                       int64_t position) {
    return tensors[layer][state.pages.pages()[static_cast<size_t>(position / 4)]][position % 4].clone();
  };
  SequenceState without(&pages_, codec_);
  SequenceState state(&pages_, codec_);
  for (SequenceState* one : {&without, &state}) {
    for (const int64_t code : {1, 2}) Hear(*one, code);
  }
  const int64_t first = state.length();
  type(state, picture);
  for (SequenceState* one : {&without, &state}) type(*one, words);
  const SequenceState fork = state;
  std::vector<at::Tensor> of_fork;
  for (int64_t position = 0; position < fork.length(); ++position) {
    of_fork.push_back(row(pool_.keys, 1, fork, position));
  }

  const auto rows = static_cast<int64_t>(picture.size());
  ASSERT_TRUE(state.Remove(first, rows, [&](const SequenceGap& gap) { model_->CloseGap(gap, pool_); }));
  ASSERT_EQ(state.length(), without.length());
  EXPECT_EQ(Tokens(state), Tokens(without));
  double largest = 0;
  for (int64_t position = 0; position < state.length(); ++position) {
    const auto difference = [&](const std::vector<at::Tensor>& tensors, size_t layer) {
      return (row(tensors, layer, state, position) - row(tensors, layer, without, position))
          .abs()
          .max()
          .item<double>();
    };
    EXPECT_LT(difference(pool_.keys, 0), 1e-5) << position;
    EXPECT_EQ(difference(pool_.values, 0), 0.0) << position;
    if (position < first) {
      EXPECT_EQ(difference(pool_.keys, 1), 0.0) << position;
    } else {
      largest = std::max(largest, difference(pool_.values, 1));
    }
  }
  EXPECT_GT(largest, 0.0) << "what was made of the picture stays";
  for (int64_t position = 0; position < fork.length(); ++position) {
    EXPECT_TRUE(row(pool_.keys, 1, fork, position).equal(of_fork[static_cast<size_t>(position)])) << position;
  }
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
