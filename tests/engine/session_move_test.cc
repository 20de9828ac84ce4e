// Sequences that move to another engine at any moment of a turn or an answer: what they go on to say is what
// they would have said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/sequence_snapshot.h"
#include "model/language_model.h"
#include "model/safetensors.h"
#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using testing::Contains;
using testing::HasSubstr;

using Told = std::vector<std::string>;

constexpr int kNever = -1;

// An engine whose model draws a picture and then calls a function in every answer.
struct FakeEngine {
  FakeEngine() : bench(Config(), EngineBench::SmallOptions()) {
    bench.model.answer_pieces = 6;
    bench.model.answer_images = 1;
    bench.model.answer_manner = {bench.config.tools.call};
    const std::vector<int64_t> call = bench.tokenizer.Encode("set lamp").value();
    bench.model.answer_manner.insert(bench.model.answer_manner.end(), call.begin(), call.end());
    bench.model.answer_manner.push_back(bench.config.tools.call_end);
  }
  static ModelConfig Config() {
    ModelConfig config = TinyConfig();
    config.max_positions = 512;
    config.symbols.vocab_size = 96;
    config.tools = {.tools = 84, .tools_end = 85, .call = 86, .call_end = 87, .result = 88, .result_end = 89};
    return config;
  }
  std::unique_ptr<Owner> Open(const SequenceOptions& options) { return bench.Open(options); }
  bool RunOnce() { return bench.loop.RunOnce(); }
  const ModelConfig& config() const { return bench.config; }

  EngineBench bench;
};

// One on the tiny model: random weights, real arithmetic.
struct TinyEngine {
  TinyEngine()
      : tiny(TinyConfig()),
        tokenizer(TinyTokenizer(tiny)),
        model(Load(tiny)),
        codec(tiny),
        loop({*model, codec, tokenizer, clock}, EngineBench::SmallOptions()) {}
  static std::unique_ptr<LanguageModel> Load(const ModelConfig& config) {
    const auto weights =
        Safetensors::Open(ANTIPHON_SOURCE_DIR "/tests/golden/tiny_model/backbone.safetensors");
    return LanguageModel::Load(weights.value(), config, at::kCPU).value();
  }
  std::unique_ptr<Owner> Open(const SequenceOptions& options) {
    return std::make_unique<Owner>(loop, codec, tokenizer, clock, options);
  }
  bool RunOnce() { return loop.RunOnce(); }
  const ModelConfig& config() const { return tiny; }

  ModelConfig tiny;
  ManualClock clock;
  TextTokenizer tokenizer;
  std::unique_ptr<LanguageModel> model;
  FakeCodec codec;
  EngineLoop loop;
};

SequenceOptions OptionsOf(bool speak) {
  SequenceOptions options;
  options.speak = speak;
  options.semantic_turns = false;
  options.max_response_frames = 14;
  options.max_response_pieces = 20;
  options.sampling = {.temperature = 0.9f, .top_p = 0.95f, .repetition_penalty = 1.2f, .seed = 7};
  return options;
}

// A sequence that moves when so many steps have been run or things been said.
template <typename Engine>
class Traveller {
 public:
  Traveller(const SequenceOptions& options, int move_at) : options_(options), move_at_(move_at) {
    owner_ = first_.Open(options_);
  }

  void Declare(const std::string& functions) {
    functions_ = functions;
    owner_->Declare(functions);
  }
  void Do(const std::function<void(Owner&)>& what, int steps) {
    Moment();
    what(*owner_);
    for (int i = 0; i < steps && Run(); ++i) {
    }
  }
  void RunAll() {
    while (Run()) {
    }
  }

  // All that was told, without the numbers of the turns, which are counted anew.
  Told told() {
    TakeTold();
    return told_;
  }
  int moments() const { return moments_; }

 private:
  bool Run() {
    Moment();
    return moved_ ? second_.RunOnce() : first_.RunOnce();
  }

  void Moment() {
    if (moments_++ != move_at_) return;
    owner_->Export();
    for (int i = 0; i < 1000 && owner_->Count("exported") == 0; ++i) first_.RunOnce();
    TakeTold();
    const auto read = ReadSnapshot(owner_->exported(), {}, first_.config());
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    owner_ = second_.Open(options_);
    if (!functions_.empty()) owner_->Declare(functions_);  // what was asked for is its owner's to know
    owner_->Restore(*read);
    moved_ = true;
  }

  void TakeTold() {
    for (const std::string& event : owner_->Take()) {
      const std::string what = event.substr(event.find(' ') + 1);
      if (what == "exported") return;
      told_.push_back(what);
    }
  }

  const SequenceOptions options_;
  const int move_at_;
  Engine first_, second_;
  std::unique_ptr<Owner> owner_;
  std::string functions_;
  bool moved_ = false;
  int moments_ = 0;
  Told told_;
};

struct Conversed {
  Told told;
  int moments = 0;
};

// Two turns of everything that there is, the first answer cut back behind its end.
template <typename Engine>
Conversed Converse(bool speak, bool functions, int move_at) {
  Traveller<Engine> it(OptionsOf(speak), move_at);
  if (functions) it.Declare("set lamp");
  for (const int64_t code : {3, 5, 8, 13}) it.Do([code](Owner& owner) { owner.Hear({code}); }, 1);
  it.Do([](Owner& owner) { owner.Type("this is typed into it"); }, 1);
  it.Do([](Owner& owner) { owner.Show({0, 1, 2, 3, 4, 5, 6, 7, 11}); }, 1);
  it.Do([](Owner& owner) { owner.Hear({21, 34}); }, 1);
  it.Do([](Owner& owner) { owner.EndTurn(); }, 0);
  it.RunAll();
  it.Do([](Owner& owner) { owner.CutResponse(4); }, 1);
  it.Do([](Owner& owner) { owner.Hear({1, 2}); }, 1);
  it.Do([](Owner& owner) { owner.Type("more"); }, 1);
  it.Do([](Owner& owner) { owner.EndTurn(); }, 0);
  it.RunAll();
  return {it.told(), it.moments()};
}

TEST(SessionMoveTest, AtAnyMomentOfTurnsDrawingsAndCalls) {
  for (const bool speak : {true, false}) {
    const Conversed unmoved = Converse<FakeEngine>(speak, true, kNever);
    EXPECT_THAT(unmoved.told, Contains(HasSubstr("image 0 [")));
    EXPECT_THAT(unmoved.told, Contains(HasSubstr("complete")));
    ASSERT_GT(unmoved.moments, 30);
    for (int moment = 0; moment < unmoved.moments; ++moment) {
      EXPECT_EQ(Converse<FakeEngine>(speak, true, moment).told, unmoved.told) << "moment " << moment;
      if (HasFailure()) return;
    }
  }
}

TEST(SessionMoveTest, AtAnyMomentWithRealArithmetic) {
  for (const bool speak : {true, false}) {
    const Conversed unmoved = Converse<TinyEngine>(speak, false, kNever);
    EXPECT_THAT(unmoved.told, Contains(HasSubstr("done")));
    ASSERT_GT(unmoved.moments, 30);
    for (int moment = 0; moment < unmoved.moments; ++moment) {
      EXPECT_EQ(Converse<TinyEngine>(speak, false, moment).told, unmoved.told) << "moment " << moment;
      if (HasFailure()) return;
    }
  }
}

// Stands in the middle of an answer, restored, with nothing run once more yet.
struct Arrived {
  // `then`: is done to both at once behind that.
  explicit Arrived(const std::function<void(Owner&)>& then = [](Owner&) {}) {
    auto owner = first.Open(OptionsOf(true));
    owner->Hear({3, 5, 8, 13});
    owner->EndTurn();
    while (owner->Count("audio") < 3) EXPECT_TRUE(first.RunOnce());
    said = owner->Take();
    owner->Export();
    then(*owner);
    first.RunOnce();
    auto read = ReadSnapshot(owner->exported(), {}, first.config());
    EXPECT_TRUE(read.ok());
    snapshot = *std::move(read);
    first_owner = std::move(owner);
    second_owner = second.Open(OptionsOf(true));
    second_owner->Restore(snapshot);
    then(*second_owner);
    EXPECT_GT(snapshot.positions.size(), 5u);
  }
  static Told Ask(FakeEngine& engine, Owner& owner) {
    while (engine.RunOnce()) {
    }
    owner.Take();
    owner.Type("more");
    owner.EndTurn();
    while (engine.RunOnce()) {
    }
    Told told = owner.Take();
    for (std::string& event : told) event = event.substr(event.find(' '));
    return told;
  }

  FakeEngine first, second;
  Told said;
  SequenceSnapshot snapshot;
  std::unique_ptr<Owner> first_owner, second_owner;
};

TEST(SessionMoveTest, WhatIsCutOrCancelledBeforeItIsThereIsAsWhatIsCutLater) {
  for (const bool cancel : {false, true}) {
    Arrived it([cancel](Owner& owner) {
      if (cancel) {
        owner.Cancel();
      } else {
        owner.CutResponse(2);
      }
    });
    EXPECT_EQ(it.Ask(it.second, *it.second_owner), it.Ask(it.first, *it.first_owner));
    EXPECT_EQ(it.second_owner->Count("cut 2"), cancel ? 0 : 1);
    EXPECT_EQ(it.second_owner->Count("done cancelled"), 1);
  }
}

TEST(SessionMoveTest, GoesOnTwiceAndAgainFromThere) {
  Arrived it;
  it.second_owner->Export();  // before anything was run
  it.second.RunOnce();
  FakeEngine third;
  auto owner = third.Open(OptionsOf(true));
  const auto read = ReadSnapshot(it.second_owner->exported(), {}, third.config());
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  owner->Restore(*read);
  EXPECT_EQ(it.Ask(third, *owner), it.Ask(it.second, *it.second_owner));
}

TEST(SessionMoveTest, ATurnThatIsClearedBeforeItIsThereIsForgotten) {
  const auto next = [](bool moved) {
    FakeEngine first, second;
    auto owner = first.Open(OptionsOf(true));
    owner->Type("one");
    owner->EndTurn();
    while (first.RunOnce()) {
    }
    owner->Hear({3, 5, 8});
    while (first.RunOnce()) {
    }
    if (moved) {
      owner->Export();
      first.RunOnce();
      const auto read = ReadSnapshot(owner->exported(), {}, second.config());
      EXPECT_TRUE(read.ok());
      owner = second.Open(OptionsOf(true));
      owner->Restore(*read);
    }
    owner->ClearTurn();
    return Arrived::Ask(moved ? second : first, *owner);
  };
  EXPECT_EQ(next(true), next(false));
}

TEST(SessionMoveTest, InputThatWaitsForTheAnswerToEndIsNotLost) {
  FakeEngine engine;
  const auto owner = engine.Open(OptionsOf(true));
  owner->Type("one");
  owner->EndTurn();
  engine.RunOnce();
  engine.RunOnce();
  owner->Type("two");
  owner->Export();
  engine.RunOnce();
  EXPECT_EQ(owner->Count("not exported"), 1);
}

}  // namespace
}  // namespace antiphon
