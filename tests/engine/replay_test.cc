// Sessions that are recorded and run again, on a real language model (tests/golden/tiny_model: random
// weights, real arithmetic): the same tokens and the same logits to the bit, alone and among others; and a
// difference is found where it was made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/recording.h"
#include "engine/replay_ticket.h"
#include "model/language_model.h"
#include "model/safetensors.h"
#include "tests/engine/engine_bench.h"
#include "tests/engine/memory_recordings.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

constexpr int kSpeakers = 8;
const ModelIdentity kTiny{"tiny", "v0", 99};

// How often each row of logits came, as bytes.
using LogitsSeen = std::map<std::string, int>;

// The tiny model, which notes all logits that anything is drawn from.
class WatchedModel final : public LanguageModel {
 public:
  WatchedModel(const ModelConfig& config, WeightFormat format)
      : weights_(
            Safetensors::Open(ANTIPHON_SOURCE_DIR "/tests/golden/tiny_model/backbone.safetensors").value()),
        model_(LanguageModel::Load(weights_, config, at::kCPU, format).value()) {}

  mutable LogitsSeen seen;

  KvPool MakePool(int64_t pages, int64_t page_positions, KvFormat format) const override {
    return model_->MakePool(pages, page_positions, format);
  }
  at::Tensor Forward(const RaggedBatch& batch, KvPool& pool) const override {
    return model_->Forward(batch, pool);
  }
  void CloseGap(const SequenceGap& gap, KvPool& pool) const override { model_->CloseGap(gap, pool); }
  at::Tensor SymbolLogits(const at::Tensor& states) const override {
    at::Tensor logits = model_->SymbolLogits(states);
    for (int64_t row = 0; row < logits.size(0); ++row) Note(logits[row]);
    return logits;
  }
  at::Tensor DrawFrames(const at::Tensor& states, const DrawCode& draw) const override {
    return model_->DrawFrames(states, [&](int64_t row, int64_t codebook, const at::Tensor& logits) {
      Note(logits);
      return draw(row, codebook, logits);
    });
  }
  std::vector<std::vector<float>> WordScores(const at::Tensor& states,
                                             std::span<const std::span<const int64_t>> words) const override {
    return model_->WordScores(states, words);
  }
  const ModelConfig& config() const override { return model_->config(); }
  uint64_t parameters() const override { return model_->parameters(); }

 private:
  void Note(const at::Tensor& logits) const {
    const at::Tensor row = logits.contiguous();
    ++seen[{reinterpret_cast<const char*>(row.data_ptr<float>()), row.nbytes()}];
  }

  const Safetensors weights_;
  const std::unique_ptr<LanguageModel> model_;
};

struct Bench {
  explicit Bench(WeightFormat format = WeightFormat::kAsStored, const EngineOptions& options = Options(4))
      : config(TinyConfig()),
        tokenizer(TinyTokenizer(config)),
        model(config, format),
        codec(config),
        loop({model, codec, tokenizer, clock, kTiny}, options) {}

  static EngineOptions Options(int page_positions) {
    EngineOptions options;
    options.kv_pages = 8192 / page_positions;
    options.page_positions = page_positions;
    return options;
  }

  void RunAll() {
    for (int step = 0; step < 20000 && loop.RunOnce(); ++step) {
    }
  }
  void Run(int steps) {
    for (int step = 0; step < steps; ++step) loop.RunOnce();
  }

  std::shared_ptr<ReplayTicket> Replay(const std::string& bytes) {
    auto ticket = std::make_shared<ReplayTicket>();
    Result<Recording> recording = Recording::Read(bytes, kTiny, config);
    EXPECT_TRUE(recording.ok()) << recording.status().ToString();
    if (recording.ok()) loop.AddReplay(ticket, std::move(recording).value(), "here");
    return ticket;
  }

  ModelConfig config;
  ManualClock clock;
  TextTokenizer tokenizer;
  WatchedModel model;
  FakeCodec codec;
  EngineLoop loop;
};

ReplayOutcome OutcomeOf(const std::shared_ptr<ReplayTicket>& ticket) {
  const auto outcome = ticket->Wait(TimePoint{});
  EXPECT_TRUE(outcome.has_value()) << "the replay has not ended";
  return outcome.value_or(ReplayOutcome{.status = Internal("none")});
}

SequenceOptions OptionsOf(int speaker) {
  SequenceOptions options;
  options.max_response_frames = 12;
  options.max_response_pieces = 20;
  options.max_video_frames = 1;
  options.speak = speaker % 3 != 2;
  if (speaker % 2 == 1) {
    options.sampling.temperature = 0.9f;
    options.sampling.top_p = 0.95f;
    options.sampling.repetition_penalty = 1.2f;
    options.sampling.seed = 100 + static_cast<uint64_t>(speaker);
  }
  return options;
}

std::vector<int> Picture(int code) { return std::vector<int>(9, code % 12); }

// Each does something else in the middle: a picture and a cancel, a cut, video, a turn that is cleared.
void TakeTurn(Bench& bench, int speaker, Owner& owner) {
  SequenceOptions options = OptionsOf(speaker);
  options.semantic_turns = false;  // random weights may take any turn for over
  switch (speaker % 4) {
    case 0:
      owner.Show(Picture(speaker));
      owner.Type("what is it");
      owner.EndTurn();
      bench.Run(8);
      owner.Cancel();
      break;
    case 1:
      options.speak = true;
      owner.Configure(options);
      owner.Type("tell me more");
      owner.EndTurn();
      bench.Run(12);
      owner.CutResponse(2);
      break;
    case 2:
      owner.Configure(options);
      for (int frame = 0; frame < 3; ++frame) {
        owner.ShowVideo(Picture(frame));
        owner.Hear({frame + 3, frame + 9});
        bench.RunAll();
      }
      owner.EndTurn();
      break;
    default:
      owner.Hear({5, 6, 7, 8});
      bench.RunAll();
      owner.ClearTurn();
      options.sampling.temperature = 1.4f;
      options.manner.speed = SpeechSpeed::kFast;
      owner.Configure(options);
      owner.Type("and now");
      owner.EndTurn();
  }
  bench.RunAll();
}

// Eight sessions at once.
void Record(Bench& bench, RecordingFolder* folder, int64_t max_bytes = 1 << 20) {
  bench.loop.RecordTo({folder, {kTiny, WeightFormat::kAsStored, "there"}, max_bytes});
  std::vector<std::unique_ptr<Owner>> owners;
  for (int i = 0; i < kSpeakers; ++i) {
    owners.push_back(
        std::make_unique<Owner>(bench.loop, bench.codec, bench.tokenizer, bench.clock, OptionsOf(i)));
  }
  for (int frame = 0; frame < 9; ++frame) {
    for (int i = 0; i < kSpeakers; ++i) owners[static_cast<size_t>(i)]->Hear({(frame * 7 + i * 3) % 40});
    bench.Run(1);
  }
  for (const auto& owner : owners) owner->EndTurn();
  bench.RunAll();
  for (int i = 0; i < kSpeakers; ++i) TakeTurn(bench, i, *owners[static_cast<size_t>(i)]);
  for (const auto& owner : owners) {
    owner->Type("the last words");
    owner->EndTurn();
  }
  bench.RunAll();
  for (const auto& owner : owners) {
    EXPECT_EQ(owner->Count("failed"), 0);
    EXPECT_EQ(owner->Count("refused"), 0);
  }
  owners.clear();
  bench.Run(1);  // lets the sequences go
}

std::vector<RecordedOperation> OperationsOf(const std::string& bytes) {
  static const ModelConfig config = TinyConfig();
  Recording recording = Recording::Read(bytes, kTiny, config).value();
  std::vector<RecordedOperation> operations;
  while (auto operation = recording.Next()) operations.push_back(*std::move(operation));
  return operations;
}

std::string BytesOf(const std::vector<RecordedOperation>& operations) {
  std::string bytes = WriteRecordingHead({kTiny, WeightFormat::kAsStored, "there"});
  for (const RecordedOperation& operation : operations) bytes += WriteRecord(operation);
  return bytes;
}

struct Forms {
  WeightFormat weights;
  KvFormat kv;
};

class ReplayTest : public testing::TestWithParam<Forms> {
 protected:
  static EngineOptions Options(int page_positions) {
    EngineOptions options = Bench::Options(page_positions);
    options.kv_format = GetParam().kv;
    return options;
  }
};

TEST_P(ReplayTest, GivesTheSameTokensAndLogitsAloneAndEightAtATime) {
  MemoryRecordings recordings;
  LogitsSeen recorded;
  {
    Bench bench(GetParam().weights, Options(4));
    Record(bench, &recordings);
    recorded = bench.model.seen;
  }
  ASSERT_EQ(recordings.size(), static_cast<size_t>(kSpeakers));
  // There is something of everything to be replayed.
  std::array<int, std::variant_size_v<RecordedOperation>> kinds{};
  for (size_t i = 0; i < recordings.size(); ++i) {
    EXPECT_EQ(recordings.at(i).end, RecordingEnd::kClosed);
    for (const RecordedOperation& operation : OperationsOf(recordings.at(i).bytes))
      ++kinds[operation.index()];
  }
  for (size_t kind = 0; kind + 1 < kinds.size(); ++kind) EXPECT_GT(kinds[kind], 0) << "operation " << kind;
  EXPECT_GT(recorded.size(), 500u);

  // Alone, in pages of another size.
  LogitsSeen alone;
  uint64_t steps_alone = 0;
  for (size_t i = 0; i < recordings.size(); ++i) {
    Bench bench(GetParam().weights, Options(16));
    const auto ticket = bench.Replay(recordings.at(i).bytes);
    bench.RunAll();
    const ReplayOutcome outcome = OutcomeOf(ticket);
    EXPECT_TRUE(outcome.equal()) << outcome.status.ToString() << " session " << i;
    EXPECT_EQ(outcome.end, RecordingEnd::kClosed);
    EXPECT_EQ(outcome.recorded_with, "stored weights, there kernels");
    EXPECT_EQ(outcome.replayed_with, "here");
    EXPECT_GT(outcome.counts.heard_frames, 0);
    EXPECT_GT(outcome.counts.symbols, outcome.counts.heard_frames);
    EXPECT_EQ(bench.loop.statistics().pages_in_use, 0) << "pages are left behind";
    for (const auto& [row, times] : bench.model.seen) alone[row] += times;
    steps_alone += bench.loop.statistics().steps;
  }
  EXPECT_EQ(alone, recorded);

  // All at once.
  Bench together(GetParam().weights, Options(4));
  std::vector<std::shared_ptr<ReplayTicket>> tickets;
  for (size_t i = 0; i < recordings.size(); ++i) tickets.push_back(together.Replay(recordings.at(i).bytes));
  together.RunAll();
  for (const auto& ticket : tickets) EXPECT_TRUE(OutcomeOf(ticket).equal());
  EXPECT_EQ(together.model.seen, recorded);
  EXPECT_LT(together.loop.statistics().steps, steps_alone / 2) << "they were not batched";
}

INSTANTIATE_TEST_SUITE_P(Weights, ReplayTest,
                         testing::Values(Forms{WeightFormat::kAsStored, KvFormat::kFloat32},
                                         Forms{WeightFormat::kInt8, KvFormat::kFloat32},
                                         Forms{WeightFormat::kAsStored, KvFormat::kBfloat16},
                                         Forms{WeightFormat::kAsStored, KvFormat::kInt8}));

TEST(ReplayDifferenceTest, EachPlantedDifferenceIsFoundWhereItIs) {
  MemoryRecordings recordings;
  {
    Bench bench;
    Record(bench, &recordings);
  }
  // Speaker 1 speaks and draws at random.
  const std::vector<RecordedOperation> operations = OperationsOf(recordings.at(1).bytes);
  int planted = 0;
  const auto expect = [&](size_t i, const RecordedOperation& operation, const ReplayDifference& difference) {
    std::vector<RecordedOperation> changed = operations;
    changed[i] = operation;
    Bench bench;
    const auto ticket = bench.Replay(BytesOf(changed));
    bench.RunAll();
    const ReplayOutcome outcome = OutcomeOf(ticket);
    EXPECT_EQ(outcome.status, OkStatus());
    EXPECT_FALSE(outcome.equal());
    EXPECT_EQ(outcome.difference, difference) << "operation " << i;
    EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
    ++planted;
  };
  using Channel = ReplayDifference::Channel;
  for (size_t i = 0; i < operations.size(); i += 5) {
    if (const auto* answer = std::get_if<RecordedAnswer>(&operations[i])) {
      RecordedAnswer other = *answer;
      other.symbol = (answer->symbol + 1) % 60;
      expect(i, other, {answer->position, Channel::kSymbol, 0, other.symbol, answer->symbol});
      if (answer->codes.empty()) continue;
      other = *answer;
      other.codes[2] = (answer->codes[2] + 1) % 20;
      expect(i, other, {answer->position, Channel::kSpoken, 2, other.codes[2], answer->codes[2]});
      other.codes.clear();
      expect(i, other, {answer->position, Channel::kSpoken, 0, -1, answer->codes[0]});
    }
    if (const auto* frame = std::get_if<RecordedFrame>(&operations[i])) {
      RecordedFrame other = *frame;
      other.codes[3] = (frame->codes[3] + 1) % 20;
      expect(i, other, {frame->position, Channel::kHeard, 3, other.codes[3], frame->codes[3]});
    }
  }
  EXPECT_GT(planted, 5);
}

// Another seed, or another frame heard, is another conversation.
TEST(ReplayDifferenceTest, OtherInputsGiveOtherTokens) {
  MemoryRecordings recordings;
  {
    Bench bench;
    Record(bench, &recordings);
  }
  const auto differs = [](const std::vector<RecordedOperation>& operations) {
    Bench bench;
    const auto ticket = bench.Replay(BytesOf(operations));
    bench.RunAll();
    return OutcomeOf(ticket).difference.has_value();
  };
  std::vector<RecordedOperation> operations = OperationsOf(recordings.at(1).bytes);
  EXPECT_FALSE(differs(operations));
  std::vector<RecordedOperation> other_seed = operations;
  for (RecordedOperation& operation : other_seed) {
    if (auto* sampling = std::get_if<RecordedSampling>(&operation)) sampling->sampling.seed += 1;
  }
  EXPECT_TRUE(differs(other_seed));
  std::vector<RecordedOperation> other_sound = operations;
  for (RecordedOperation& operation : other_sound) {
    if (auto* frame = std::get_if<RecordedFrame>(&operation)) {
      frame->samples = std::vector<float>(frame->samples.size());
    }
  }
  EXPECT_TRUE(differs(other_sound));
}

// A recording under right checksums that says what cannot be: refused where it does not fit, and the engine
// serves the others.
TEST(ReplayDifferenceTest, WhatDoesNotFitTogetherIsRefused) {
  Bench bench;
  Owner owner(bench.loop, bench.codec, bench.tokenizer, bench.clock, OptionsOf(0));
  const RecordedStand answering{
      .stream = {.phase = StreamState::Phase::kAnswering, .speak = true, .next_symbol = 5}};
  const RecordedInputs three{.position = 0, .positions = {{.symbol = 2}, {.symbol = 4}, {.symbol = 9}}};
  std::vector<StreamPosition> too_many(512, {.symbol = 9});
  const std::vector<std::pair<std::vector<RecordedOperation>, std::string>> broken = {
      {{RecordedAnswer{.position = 0, .symbol = 1}}, "outside of a response"},
      {{RecordedCut{1}}, "a cut to 1"},
      {{three, RecordedGap{.first = 2, .rows = 2}}, "a gap"},
      {{three, RecordedInputs{.position = 2, .positions = {{.symbol = 9}}}}, "a step of position 2"},
      {{three, RecordedInputs{.position = 3, .positions = too_many}}, "more than the model reads"},
      {{three, answering,
        RecordedFrame{.position = 3, .samples = std::vector<float>(1280), .codes = {0, 0, 0, 0}}},
       "a frame heard in a response"}};
  std::vector<std::shared_ptr<ReplayTicket>> tickets;
  for (const auto& [operations, why] : broken) tickets.push_back(bench.Replay(BytesOf(operations)));
  owner.Type("are you there");
  owner.EndTurn();
  bench.RunAll();
  for (size_t i = 0; i < broken.size(); ++i) {
    const ReplayOutcome outcome = OutcomeOf(tickets[i]);
    EXPECT_EQ(outcome.status.code(), StatusCode::kDataLoss) << broken[i].second;
    EXPECT_THAT(outcome.status.message(), HasSubstr(broken[i].second));
    EXPECT_FALSE(outcome.equal());
  }
  EXPECT_EQ(owner.Count(" done "), 1);
  EXPECT_EQ(owner.Count("failed"), 0);
}

// Of a process that died there is a prefix. It is equal as far as it goes.
TEST(ReplayDifferenceTest, ARecordingThatBreaksOffIsReplayedAsFarAsItGoes) {
  MemoryRecordings recordings;
  {
    Bench bench;
    Record(bench, &recordings);
  }
  const std::string& bytes = recordings.at(3).bytes;
  Bench bench;
  const auto ticket = bench.Replay(bytes.substr(0, bytes.size() / 2));
  bench.RunAll();
  const ReplayOutcome outcome = OutcomeOf(ticket);
  EXPECT_TRUE(outcome.equal());
  EXPECT_EQ(outcome.end, RecordingEnd::kBrokenOff);
  EXPECT_GT(outcome.counts.positions, 0);
}

// Half of what the shortest of the eight sessions takes.
int64_t HalfASession() {
  MemoryRecordings recordings;
  Bench bench;
  Record(bench, &recordings);
  size_t shortest = recordings.at(0).bytes.size();
  for (size_t i = 1; i < recordings.size(); ++i) shortest = std::min(shortest, recordings.at(i).bytes.size());
  return static_cast<int64_t>(shortest / 2);
}

TEST(ReplayDifferenceTest, ARecordingIsCutOffAtItsLimitAndStaysWhole) {
  const int64_t limit = HalfASession();
  MemoryRecordings recordings;
  {
    Bench bench;
    Record(bench, &recordings, limit);
  }
  for (size_t i = 0; i < recordings.size(); ++i) {
    EXPECT_EQ(recordings.at(i).end, RecordingEnd::kFull);
    const auto size = static_cast<int64_t>(recordings.at(i).bytes.size());
    EXPECT_LE(size, limit);
    EXPECT_GT(size, limit - 6'000) << "more would have fitted";
    Bench bench;
    const auto ticket = bench.Replay(recordings.at(i).bytes);
    bench.RunAll();
    const ReplayOutcome outcome = OutcomeOf(ticket);
    EXPECT_TRUE(outcome.equal()) << outcome.status.ToString();
    EXPECT_EQ(outcome.end, RecordingEnd::kFull);
  }
}

TEST(ReplayDifferenceTest, ADiskThatTakesNothingEndsTheRecordingAndNotTheSession) {
  MemoryRecordings recordings(static_cast<size_t>(HalfASession()));
  Bench bench;
  Record(bench, &recordings);  // which expects that nothing fails
  for (size_t i = 0; i < recordings.size(); ++i) {
    EXPECT_EQ(recordings.at(i).end, RecordingEnd::kLost);
    Bench again;
    const auto ticket = again.Replay(recordings.at(i).bytes);
    again.RunAll();
    EXPECT_TRUE(OutcomeOf(ticket).equal());
    EXPECT_EQ(OutcomeOf(ticket).end, RecordingEnd::kLost);
  }
}

TEST(ReplayDifferenceTest, AReplayThatIsStoppedFreesItsPages) {
  MemoryRecordings recordings;
  {
    Bench bench;
    Record(bench, &recordings);
  }
  Bench bench;
  const auto ticket = bench.Replay(recordings.at(0).bytes);
  bench.Run(5);
  EXPECT_GT(bench.loop.statistics().pages_in_use, 0);
  EXPECT_FALSE(ticket->Wait(TimePoint{}).has_value());
  ticket->Finish({.status = Cancelled("enough")});
  bench.RunAll();
  EXPECT_EQ(bench.loop.statistics().pages_in_use, 0);
  EXPECT_EQ(OutcomeOf(ticket).status.code(), StatusCode::kCancelled);
}

// A session that was restored begins with what it brought.
TEST(ReplayDifferenceTest, ARestoredSessionIsReplayed) {
  std::string exported;
  {
    Bench bench;
    Owner owner(bench.loop, bench.codec, bench.tokenizer, bench.clock, OptionsOf(1));
    owner.Type("my name is ann");
    owner.EndTurn();
    bench.RunAll();
    owner.Export();
    bench.RunAll();
    exported = owner.exported();
  }
  MemoryRecordings recordings;
  {
    Bench bench;
    bench.loop.RecordTo({&recordings, {kTiny, WeightFormat::kAsStored, "there"}, 1 << 20});
    Owner owner(bench.loop, bench.codec, bench.tokenizer, bench.clock, OptionsOf(1));
    owner.Restore(ReadSnapshot(exported, kTiny, bench.config).value());
    owner.Type("what is my name");
    owner.EndTurn();
    bench.RunAll();
    EXPECT_EQ(owner.Count(" done "), 1);
  }
  ASSERT_EQ(recordings.size(), 1u);
  Bench bench;
  const auto ticket = bench.Replay(recordings.at(0).bytes);
  bench.RunAll();
  const ReplayOutcome outcome = OutcomeOf(ticket);
  EXPECT_TRUE(outcome.equal()) << outcome.status.ToString();
  EXPECT_GT(outcome.counts.symbols, 0);
}

}  // namespace
}  // namespace antiphon
