// Instructions: what the model reads before the first turn, and how sequences that begin alike share it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/engine_impl.h"
#include "engine/replay_ticket.h"
#include "model/safetensors.h"
#include "tests/engine/engine_bench.h"
#include "tests/engine/memory_recordings.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

// With `<bos>` more than 4 pages of 4 positions.
const std::string kLong = "you are a kind clerk of a small shop";

ModelConfig ConfigOfInstructions(int64_t max_positions = 512) {
  ModelConfig config = TinyConfig();
  config.max_positions = max_positions;
  config.max_instruction_pieces = 64;
  return config;
}

struct InstructionsBench : EngineBench {
  explicit InstructionsBench(const EngineOptions& options = SmallOptions(), int64_t max_positions = 512)
      : EngineBench(ConfigOfInstructions(max_positions), options) {
    model.on_forward = [this](const RaggedBatch& batch) {
      read.insert(read.end(), batch.symbols.begin(), batch.symbols.end());
    };
  }

  static EngineOptions OptionsOf(int kv_pages, int prefix_pages) {
    EngineOptions options = SmallOptions();
    options.kv_pages = kv_pages;
    options.prefix_pages = prefix_pages;
    return options;
  }

  void Ask(Owner& owner, const std::string& text = "hello") {
    owner.Type(text);
    owner.EndTurn();
    RunAll();
  }
  // `<bos>` and the pieces.
  std::vector<int64_t> PrefixOf(const std::string& text) const {
    std::vector<int64_t> symbols = tokenizer.Encode(text).value();
    symbols.insert(symbols.begin(), config.symbols.bos);
    return symbols;
  }
  int64_t SharedOf(const std::string& text) const { return std::ssize(PrefixOf(text)) / 4 * 4; }
  std::vector<int64_t> Take() { return std::exchange(read, {}); }

  std::vector<int64_t> read;
};

TEST(InstructionsTest, AreReadBeforeTheFirstTurnAndOnce) {
  InstructionsBench bench;
  const auto owner = bench.Open();
  owner->Instruct("be kind");
  bench.RunAll();
  EXPECT_EQ(bench.Take(), bench.PrefixOf("be kind")) << "they wait for nobody's turn";
  bench.Ask(*owner);
  EXPECT_EQ(bench.Take().front(), bench.config.symbols.user);
  bench.Ask(*owner);
  EXPECT_THAT(bench.Take(), testing::Not(testing::Contains(bench.config.symbols.bos)));
  EXPECT_EQ(owner->Count("completed"), 2) << testing::PrintToString(owner->told());
}

TEST(InstructionsTest, ATurnThatIsSaidAtOnceStandsBehindThem) {
  InstructionsBench bench;
  const auto owner = bench.Open();
  owner->Instruct("be kind");
  owner->Hear({5});
  bench.RunAll();
  std::vector<int64_t> expected = bench.PrefixOf("be kind");
  expected.push_back(bench.config.symbols.user);
  EXPECT_EQ(bench.Take(), expected);
}

TEST(InstructionsTest, TheNewestCountUntilATurnOpens) {
  InstructionsBench bench;
  const auto owner = bench.Open();
  owner->Instruct("be kind");
  bench.RunAll();
  owner->Instruct("be kind");  // the same
  bench.RunAll();
  EXPECT_EQ(bench.Take(), bench.PrefixOf("be kind"));
  owner->Instruct("be short");
  bench.RunAll();
  EXPECT_EQ(bench.Take(), bench.PrefixOf("be short"));
  owner->Instruct("");
  bench.Ask(*owner);
  const std::vector<int64_t> none = bench.Take();
  EXPECT_EQ(none[0], bench.config.symbols.bos);
  EXPECT_EQ(none[1], bench.config.symbols.user);
  owner->Instruct("be late");
  bench.RunAll();
  EXPECT_TRUE(bench.Take().empty()) << "the first turn has begun";
}

TEST(InstructionsTest, AClearedTurnLeavesThem) {
  InstructionsBench bench;
  const auto told = [&](bool detour) {
    const auto owner = bench.Open();
    owner->Instruct("be kind");
    bench.RunAll();
    if (detour) {
      owner->Hear({5, 6});
      bench.RunAll();
      owner->ClearTurn();
      bench.RunAll();
      owner->Instruct("be late");  // a turn has opened: no effect
    }
    owner->Take();
    bench.Ask(*owner);
    std::vector<std::string> all = owner->Take();
    for (std::string& event : all) event.erase(0, 1);
    return all;
  };
  EXPECT_EQ(told(true), told(false));
}

TEST(InstructionsTest, SequencesThatBeginAlikeShareThePages) {
  InstructionsBench bench;
  const auto first = bench.Open();
  first->Instruct(kLong);
  bench.RunAll();
  bench.Take();
  ASSERT_GE(bench.SharedOf(kLong), 16);
  EXPECT_EQ(bench.loop.statistics().prefix_misses, 1u);
  EXPECT_EQ(bench.loop.statistics().prefix_pages, bench.SharedOf(kLong) / 4);
  const int before = bench.loop.statistics().pages_in_use;

  const auto second = bench.Open();
  second->Instruct(kLong);
  bench.RunAll();
  EXPECT_EQ(std::ssize(bench.Take()), std::ssize(bench.PrefixOf(kLong)) - bench.SharedOf(kLong));
  const EngineStatistics statistics = bench.loop.statistics();
  EXPECT_EQ(statistics.prefix_hits, 1u);
  EXPECT_EQ(statistics.prefix_positions, static_cast<uint64_t>(bench.SharedOf(kLong)));
  EXPECT_LE(statistics.pages_in_use, before + 1);

  bench.Ask(*first);
  bench.Ask(*second);
  EXPECT_EQ(first->told(), second->told());
  EXPECT_EQ(first->Count("completed"), 1);

  first->Close();
  second->Close();
  bench.RunAll();
  EXPECT_EQ(bench.loop.statistics().pages_in_use, bench.loop.statistics().prefix_pages);
}

TEST(InstructionsTest, ACacheOfNoPagesChangesOnlyTheWork) {
  const auto told = [](int prefix_pages) {
    InstructionsBench bench(InstructionsBench::OptionsOf(256, prefix_pages));
    std::vector<std::string> all;
    for (int i = 0; i < 2; ++i) {
      const auto owner = bench.Open();
      owner->Instruct(kLong);
      bench.Ask(*owner);
      all.insert(all.end(), owner->told().begin(), owner->told().end());
    }
    EXPECT_EQ(bench.loop.statistics().prefix_hits, prefix_pages > 0 ? 1u : 0u);
    return all;
  };
  EXPECT_EQ(told(0), told(64));
}

TEST(InstructionsTest, KeptPagesGiveWayBeforeAnythingElse) {
  InstructionsBench bench(InstructionsBench::OptionsOf(24, 16));
  {
    const auto owner = bench.Open();
    owner->Instruct(kLong);
    bench.RunAll();
  }
  bench.RunAll();
  ASSERT_GE(bench.loop.statistics().prefix_pages, 4);
  const auto owner = bench.Open();
  Owner fork(*owner, ForkOptions{.first_turn = 50});
  for (int text = 0; text < 90 && bench.loop.statistics().prefix_pages > 0; ++text) {
    owner->Type("a");
    bench.RunAll();
  }
  EXPECT_EQ(bench.loop.statistics().prefix_pages, 0);
  EXPECT_FALSE(fork.Heard("refused")) << "a fork goes later";
  EXPECT_FALSE(owner->Heard("refused"));
}

TEST(InstructionsTest, InputIsNotAnsweredWithoutThem) {
  InstructionsBench bench;
  const auto owner = bench.Open();
  bool broken = true;
  bench.model.on_forward = [&](const RaggedBatch& batch) {
    if (broken) throw std::runtime_error("broken");
    bench.read.insert(bench.read.end(), batch.symbols.begin(), batch.symbols.end());
  };
  owner->Instruct("be kind");
  bench.RunAll();
  EXPECT_TRUE(owner->told().empty()) << "they are tried again when they are needed";
  bench.Ask(*owner);
  EXPECT_EQ(owner->Take(), std::vector<std::string>{"0 refused INTERNAL"});
  broken = false;
  bench.Ask(*owner);
  const std::vector<int64_t> read = bench.Take();
  const std::vector<int64_t> prefix = bench.PrefixOf("be kind");
  ASSERT_GT(read.size(), prefix.size());
  EXPECT_TRUE(std::equal(prefix.begin(), prefix.end(), read.begin()));
  EXPECT_EQ(owner->Count("completed"), 1);
}

TEST(InstructionsTest, ASessionTakesThemAlong) {
  InstructionsBench bench;
  const auto owner = bench.Open();
  owner->Instruct(kLong);
  bench.Ask(*owner);
  owner->Export();
  bench.RunAll();
  const Result<SequenceSnapshot> snapshot = ReadSnapshot(owner->exported(), {}, bench.config);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();

  const auto restored = bench.Open();
  restored->Restore(*snapshot);
  restored->Instruct("be late");  // no effect: it has its own
  bench.Ask(*restored, "again");
  EXPECT_EQ(bench.loop.statistics().prefix_hits, 1u) << "its beginning is known";
  owner->Take();
  bench.Ask(*owner, "again");
  std::vector<std::string> of_owner = owner->Take();
  std::vector<std::string> of_restored = restored->Take();
  for (std::string& event : of_owner) event.erase(0, 1);  // turns are counted anew
  for (std::string& event : of_restored) event.erase(0, 1);
  EXPECT_EQ(of_restored, of_owner);
}

// ---- On a real language model.

// The tiny model, which notes the logits that symbols are drawn from.
class NotingModel final : public LanguageModel {
 public:
  explicit NotingModel(const ModelConfig& config)
      : weights_(
            Safetensors::Open(ANTIPHON_SOURCE_DIR "/tests/golden/tiny_model/backbone.safetensors").value()),
        model_(LanguageModel::Load(weights_, config, at::kCPU).value()) {}

  mutable std::string noted;

  KvPool MakePool(int64_t pages, int64_t page_positions, KvFormat format) const override {
    return model_->MakePool(pages, page_positions, format);
  }
  at::Tensor Forward(const RaggedBatch& batch, KvPool& pool) const override {
    return model_->Forward(batch, pool);
  }
  void CloseGap(const SequenceGap& gap, KvPool& pool) const override { model_->CloseGap(gap, pool); }
  at::Tensor SymbolLogits(const at::Tensor& states) const override {
    at::Tensor logits = model_->SymbolLogits(states).contiguous();
    noted.append(reinterpret_cast<const char*>(logits.data_ptr<float>()), logits.nbytes());
    return logits;
  }
  at::Tensor DrawFrames(const at::Tensor& states, const DrawCode& draw) const override {
    return model_->DrawFrames(states, draw);
  }
  std::vector<std::vector<float>> WordScores(const at::Tensor& states,
                                             std::span<const std::span<const int64_t>> words) const override {
    return model_->WordScores(states, words);
  }
  const ModelConfig& config() const override { return model_->config(); }
  uint64_t parameters() const override { return model_->parameters(); }

 private:
  const Safetensors weights_;
  const std::unique_ptr<LanguageModel> model_;
};

struct RealBench {
  explicit RealBench(const EngineOptions& options)
      : config(ConfigOfInstructions()),
        tokenizer(TinyTokenizer(config)),
        model(config),
        codec(config),
        loop({model, codec, tokenizer, clock, identity}, options) {}

  void RunAll() {
    for (int step = 0; step < 5000 && loop.RunOnce(); ++step) {
    }
  }
  // A spoken turn and a typed one under instructions: all that is told of it.
  std::vector<std::string> Talk() {
    model.noted.clear();
    SequenceOptions options;
    options.semantic_turns = false;
    options.max_response_frames = 12;
    options.max_response_pieces = 20;
    options.sampling = {.temperature = 0.9f, .seed = 7};
    Owner owner(loop, codec, tokenizer, clock, options);
    owner.Instruct(kLong);
    owner.Hear({3, 4, 5});
    owner.EndTurn();
    RunAll();
    owner.Type("turn two");
    owner.EndTurn();
    RunAll();
    EXPECT_EQ(owner.Count("done"), 2);
    return owner.told();
  }

  const ModelConfig config;
  const ModelIdentity identity{"tiny", "v0", 99};
  ManualClock clock;
  TextTokenizer tokenizer;
  NotingModel model;
  FakeCodec codec;
  EngineLoop loop;
};

TEST(InstructionsTest, AHitGivesTheSameTokensAndLogitsToTheBit) {
  RealBench bench(EngineBench::SmallOptions());
  const std::vector<std::string> first = bench.Talk();
  const std::string logits = bench.model.noted;
  EXPECT_EQ(bench.loop.statistics().prefix_hits, 0u);
  EXPECT_EQ(bench.Talk(), first);
  EXPECT_EQ(bench.loop.statistics().prefix_hits, 1u);
  EXPECT_GE(bench.loop.statistics().prefix_positions, 16u);
  EXPECT_TRUE(bench.model.noted == logits);

  EngineOptions small_steps = EngineBench::SmallOptions();
  small_steps.prefix_pages = 0;
  small_steps.max_batch_positions = 4;
  RealBench without(small_steps);
  EXPECT_EQ(without.Talk(), first) << "nor does it depend on how the beginning fell into steps";
  EXPECT_TRUE(without.model.noted == logits);
}

TEST(InstructionsTest, ASequenceThatFoundItsBeginningIsReplayed) {
  RealBench bench(EngineBench::SmallOptions());
  MemoryRecordings recordings;
  bench.loop.RecordTo({&recordings, {bench.identity, WeightFormat::kAsStored, "loops"}, 1 << 20});
  bench.Talk();
  bench.Talk();
  bench.RunAll();
  ASSERT_EQ(recordings.size(), 2u);
  for (size_t i = 0; i < recordings.size(); ++i) {
    RealBench fresh(EngineBench::SmallOptions());
    auto ticket = std::make_shared<ReplayTicket>();
    Result<Recording> recording = Recording::Read(recordings.at(i).bytes, bench.identity, bench.config);
    ASSERT_TRUE(recording.ok()) << recording.status().ToString();
    fresh.loop.AddReplay(ticket, std::move(recording).value(), "here");
    fresh.RunAll();
    const auto outcome = ticket->Wait(SystemClock::Get().Now());
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->status, OkStatus());
    EXPECT_FALSE(outcome->difference);
    EXPECT_GT(outcome->counts.symbols, 10);
  }
}

// ---- The engine's own sequences.

EngineModules ModulesOf(const ModelConfig& config) {
  return {std::make_unique<FakeModel>(config), std::make_unique<FakeCodec>(config), TinyTokenizer(config),
          std::make_unique<FakeImageCodec>(config.image)};
}

TEST(InstructionsTest, AModelThatKnowsNoneRefusesThem) {
  const auto engine = StartEngine(ModulesOf(TinyConfig()), EngineBench::SmallOptions(), SystemClock::Get());
  ASSERT_TRUE(engine.ok()) << engine.status().ToString();
  EXPECT_EQ((*engine)->model().max_instruction_pieces, 0);
  const auto sequence = (*engine)->Open({}, [](uint64_t, const SequenceEvent&) {});
  ASSERT_TRUE(sequence.ok());
  EXPECT_EQ((*sequence)->Instruct("be kind").code(), StatusCode::kUnimplemented);
  EXPECT_EQ((*sequence)->Instruct(""), OkStatus());
}

TEST(InstructionsTest, WhatCannotBeReadIsRefused) {
  const auto engine =
      StartEngine(ModulesOf(ConfigOfInstructions()), EngineBench::SmallOptions(), SystemClock::Get());
  ASSERT_TRUE(engine.ok()) << engine.status().ToString();
  EXPECT_EQ((*engine)->model().max_instruction_pieces, 64);
  const auto sequence = (*engine)->Open({}, [](uint64_t, const SequenceEvent&) {});
  ASSERT_TRUE(sequence.ok());
  std::string endless;
  for (int i = 0; i < 65; ++i) endless += "set ";
  const Status too_long = (*sequence)->Instruct(endless);
  EXPECT_EQ(too_long.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(too_long.message(), HasSubstr("at most 64"));
  EXPECT_EQ((*sequence)->Instruct("\xff").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ((*sequence)->Instruct("be kind"), OkStatus());
}

TEST(InstructionsTest, ThePagesOfTheCacheAreBounded) {
  EngineOptions options = EngineBench::SmallOptions();
  options.prefix_pages = 4097;
  const auto engine = StartEngine(ModulesOf(ConfigOfInstructions()), options, SystemClock::Get());
  EXPECT_EQ(engine.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(engine.status().message(), HasSubstr("prefix_pages is 4097"));
}

}  // namespace
}  // namespace antiphon
