#include "model/language_model.h"

#include <ATen/ops/cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "kernels/dispatch.h"
#include "model/sampling.h"
#include "tests/model/model_fixture.h"
#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

// Positions with every mix of channels.
std::vector<StreamPosition> RandomPositions(const ModelConfig& config, int count, uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](int64_t limit) { return static_cast<int64_t>(random() % limit); };
  const auto frame = [&] {
    std::vector<int64_t> codes;
    for (const int64_t size : config.codebook_sizes) codes.push_back(below(size));
    return codes;
  };
  std::vector<StreamPosition> positions(count);
  for (StreamPosition& position : positions) {
    position.symbol = below(config.symbols.vocab_size);
    if (below(2) == 0) position.heard = frame();
    if (below(2) == 0) position.spoken = frame();
  }
  return positions;
}

LanguageModel::DrawCode Sampled(uint64_t seed) {
  return [seed](int64_t row, int64_t codebook, const at::Tensor& logits) {
    return Draw(Floats(logits), {}, {.temperature = 1.0f, .seed = seed + row}, {},
                {.position = 0, .channel = codebook});
  };
}

class LanguageModelTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { model_ = LoadLanguageModel(kTinyModel).release(); }
  static void TearDownTestSuite() { delete std::exchange(model_, nullptr); }

  static const LanguageModel& model() { return *model_; }
  static const ModelConfig& config() { return model_->config(); }

 private:
  static LanguageModel* model_;
};
LanguageModel* LanguageModelTest::model_ = nullptr;

TEST_F(LanguageModelTest, CountsItsParameters) {
  const Result<Safetensors> file = Safetensors::Open(kTinyModel + "/backbone.safetensors");
  uint64_t expected = 0;
  for (const std::string& name : file->names()) expected += static_cast<uint64_t>(file->Get(name)->numel());
  EXPECT_EQ(model().parameters(), expected) << "every tensor of the file is used, none twice";
}

TEST_F(LanguageModelTest, PrefillInChunksEqualsSingleStepsToTheBit) {
  const std::vector<StreamPosition> positions = RandomPositions(config(), 40, 1);
  SoloSequence whole(model(), 8, 5);
  const at::Tensor expected = whole.Run(positions);
  for (const size_t chunk : {1, 2, 7, 16}) {
    SoloSequence sequence(model(), 3, 16);  // other pages, too
    std::vector<at::Tensor> states;
    for (size_t first = 0; first < positions.size(); first += chunk) {
      const size_t count = std::min(chunk, positions.size() - first);
      states.push_back(sequence.Run(std::span(positions).subspan(first, count)));
    }
    EXPECT_TRUE(at::cat(states).equal(expected)) << "chunks of " << chunk;
  }
}

TEST_F(LanguageModelTest, ASequenceDoesNotDependOnItsBatchToTheBit) {
  constexpr int kSequences = 5;
  constexpr int64_t kPagePositions = 4;
  std::mt19937 random(3);
  std::vector<std::vector<StreamPosition>> positions;
  std::vector<at::Tensor> alone;
  for (int s = 0; s < kSequences; ++s) {
    positions.push_back(RandomPositions(config(), 20 + 3 * s, 100 + s));
    alone.push_back(SoloSequence(model(), 1, 64).Run(positions.back()));
  }

  // All sequences advance together by random chunks, on pages handed out in random order.
  KvPool pool = model().MakePool(64, kPagePositions);
  std::vector<int32_t> free_pages(64);
  std::iota(free_pages.begin(), free_pages.end(), 0);
  std::shuffle(free_pages.begin(), free_pages.end(), random);
  std::vector<std::vector<int32_t>> pages(kSequences);
  std::vector<int64_t> context(kSequences);
  std::vector<std::vector<at::Tensor>> states(kSequences);
  for (bool more = true; more;) {
    more = false;
    RaggedBatch batch;
    std::vector<int> members;
    for (int s = 0; s < kSequences; ++s) {
      const int64_t left = static_cast<int64_t>(positions[s].size()) - context[s];
      const int64_t rows = std::min<int64_t>(left, random() % 7);
      more = more || left > 0;
      if (rows == 0) continue;
      const int64_t first_row = batch.rows();
      for (int64_t i = 0; i < rows; ++i) AppendRow(positions[s][context[s] + i], &batch);
      while (static_cast<int64_t>(pages[s].size()) * kPagePositions < context[s] + rows) {
        pages[s].push_back(free_pages.back());
        free_pages.pop_back();
      }
      batch.spans.push_back({.first_row = first_row, .rows = rows, .context = context[s], .pages = pages[s]});
      members.push_back(s);
    }
    if (members.empty()) continue;
    const at::Tensor out = model().Forward(batch, pool);
    for (size_t i = 0; i < members.size(); ++i) {
      const SequenceSpan& span = batch.spans[i];
      states[members[i]].push_back(out.narrow(0, span.first_row, span.rows));
      context[members[i]] += span.rows;
    }
  }
  for (int s = 0; s < kSequences; ++s) EXPECT_TRUE(at::cat(states[s]).equal(alone[s])) << "sequence " << s;
}

TEST_F(LanguageModelTest, FramesDoNotDependOnTheBatch) {
  const at::Tensor states = SoloSequence(model(), 1, 64).Run(RandomPositions(config(), 12, 5));
  const at::Tensor together = model().DrawFrames(states, Sampled(50));
  EXPECT_EQ(together.sizes(), (std::vector<int64_t>{12, config().codebooks()}));
  for (int64_t row = 0; row < 12; ++row) {
    const at::Tensor alone = model().DrawFrames(states.narrow(0, row, 1), Sampled(50 + row));
    EXPECT_TRUE(alone[0].equal(together[row])) << row;
  }
}

TEST_F(LanguageModelTest, EndOfAudioLeavesTheOtherCodesUndrawn) {
  const at::Tensor states = SoloSequence(model(), 1, 64).Run(RandomPositions(config(), 3, 5));
  std::vector<std::pair<int64_t, int64_t>> drawn;
  const at::Tensor frames =
      model().DrawFrames(states, [&](int64_t row, int64_t codebook, const at::Tensor& logits) -> int64_t {
        drawn.emplace_back(row, codebook);
        EXPECT_EQ(logits.numel(), config().codebook_sizes[codebook] + (codebook == 0 ? 1 : 0));
        return codebook == 0 && row == 1 ? config().end_of_audio() : 3 + codebook;
      });
  EXPECT_THAT(drawn, ::testing::ElementsAre(std::pair(0, 0), std::pair(1, 0), std::pair(2, 0),
                                            std::pair(0, 1), std::pair(2, 1), std::pair(0, 2),
                                            std::pair(2, 2), std::pair(0, 3), std::pair(2, 3)));
  EXPECT_EQ(frames[1][0].item<int64_t>(), config().end_of_audio());
  EXPECT_EQ(frames[1].narrow(0, 1, 3).abs().sum().item<int64_t>(), 0);
  EXPECT_EQ(frames[2][3].item<int64_t>(), 6);
}

TEST_F(LanguageModelTest, TellsWordsByTheRowsOfTheWordHead) {
  const at::Tensor states = SoloSequence(model(), 1, 64).Run(RandomPositions(config(), 3, 5));
  const Result<Safetensors> file = Safetensors::Open(kTinyModel + "/backbone.safetensors");
  const at::Tensor expected = states.matmul(file->Get("word_head")->to(at::kFloat).t());
  const std::vector<int64_t> words[] = {{7, 63, 7}, {}, {0}};
  const auto scores = model().WordScores(states, std::vector<std::span<const int64_t>>(words, words + 3));
  ASSERT_EQ(scores.size(), 3u);
  for (int64_t row = 0; row < 3; ++row) {
    const std::vector<int64_t>& asked = words[row];
    ASSERT_EQ(scores[row].size(), asked.size());
    for (size_t i = 0; i < asked.size(); ++i) {
      EXPECT_NEAR(scores[row][i], expected[row][asked[i]].item<float>(), 1e-4);
    }
  }
}

TEST_F(LanguageModelTest, AModelNeedNotTellWords) {
  ModelConfig silent = config();
  silent.word_head = false;
  const Result<Safetensors> file = Safetensors::Open(kTinyModel + "/backbone.safetensors");
  const auto without = LanguageModel::Load(*file, silent, at::kCPU);
  ASSERT_TRUE(without.ok());
  const at::Tensor states = SoloSequence(**without, 1, 64).Run(RandomPositions(config(), 1, 5));
  const std::vector<int64_t> words = {7};
  const std::span<const int64_t> asked[] = {words};
  EXPECT_EQ((*without)->WordScores(states, asked), std::vector<std::vector<float>>(1));
}

TEST_F(LanguageModelTest, NobodySpeaksNoFrame) {
  const at::Tensor states = SoloSequence(model(), 1, 64).Run(RandomPositions(config(), 2, 7));
  EXPECT_EQ(model().DrawFrames(states.narrow(0, 0, 0), Sampled(9)).size(0), 0);
}

TEST_F(LanguageModelTest, AtenFormAgrees) {
  const std::vector<StreamPosition> positions = RandomPositions(config(), 30, 7);
  const at::Tensor states = SoloSequence(model(), 1, 64).Run(positions);
  const at::Tensor frames = model().DrawFrames(states, Sampled(9));
  const auto form = KernelFormGuard::Aten();
  const at::Tensor aten_states = SoloSequence(model(), 1, 64).Run(positions);
  EXPECT_LT((states - aten_states).abs().max().item<double>(), 1e-4);
  EXPECT_LT((model().SymbolLogits(states) - model().SymbolLogits(aten_states)).abs().max().item<double>(),
            1e-3);
  EXPECT_TRUE(frames.equal(model().DrawFrames(states, Sampled(9))));
}

TEST_F(LanguageModelTest, RefusesWhatDoesNotFit) {
  std::vector<StreamPosition> positions = RandomPositions(config(), 3, 7);
  const auto run = [&] { SoloSequence(model(), 1, 64).Run(positions); };
  positions[1].symbol = config().symbols.vocab_size;
  EXPECT_THROW(run(), c10::Error);
  positions[1] = {.symbol = 7, .heard = {1, 2, 3, config().codebook_sizes[3]}};
  EXPECT_THROW(run(), c10::Error);
  positions[1] = {.symbol = 7, .heard = {1, 2, 3}};
  EXPECT_THROW(run(), c10::Error);
  SoloSequence full(model(), 1, config().max_positions + 1);
  EXPECT_THROW(full.Run(RandomPositions(config(), static_cast<int>(config().max_positions) + 1, 1)),
               c10::Error);
}

TEST_F(LanguageModelTest, AWrongShapeIsDataLossNamingTheTensor) {
  const Result<Safetensors> weights = Safetensors::Open(kTinyModel + "/backbone.safetensors");
  ModelConfig wrong = config();
  wrong.backbone.mlp_width += 1;
  const Status status = LanguageModel::Load(*weights, wrong, at::kCPU).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("layers.0.w_gate"));
  wrong = config();
  wrong.depth.layers += 1;
  const Status missing = LanguageModel::Load(*weights, wrong, at::kCPU).status();
  EXPECT_EQ(missing.code(), StatusCode::kDataLoss);
  EXPECT_THAT(missing.message(), HasSubstr("depth.layers.2.attn_norm"));
}

// The tiny model's file with every bfloat16 tensor called something else of the same size.
Result<Safetensors> Relabelled(const ScratchFolder& folder, const std::string& dtype) {
  std::ifstream in(kTinyModel + "/backbone.safetensors", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const std::string before = "\"BF16\"";
  for (size_t at = bytes.find(before); at != std::string::npos; at = bytes.find(before, at)) {
    bytes.replace(at, before.size(), dtype);
  }
  return Safetensors::Open(folder.Write("backbone.safetensors", bytes));
}

TEST_F(LanguageModelTest, WeightsMayBeAnyFloatingPointType) {
  const ScratchFolder folder;
  const Result<Safetensors> halves = Relabelled(folder, "\"F16\" ");
  ASSERT_TRUE(halves.ok()) << halves.status().ToString();
  const auto loaded = LanguageModel::Load(*halves, config(), at::kCPU);
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  const auto positions = RandomPositions(config(), 3, 7);
  EXPECT_EQ(SoloSequence(**loaded, 1, 64).Run(positions).scalar_type(), at::kFloat);

  const Result<Safetensors> integers = Relabelled(folder, "\"I16\" ");
  ASSERT_TRUE(integers.ok()) << integers.status().ToString();
  const Status status = LanguageModel::Load(*integers, config(), at::kCPU).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("embed.symbol"));
}

}  // namespace
}  // namespace antiphon
