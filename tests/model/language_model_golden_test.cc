// The C++ model, driven by the stream grammar, against the trainer's reference decoder: recorded
// conversations must come out the same, position by position (models/training/language/golden.py says what is
// recorded).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model/sampling.h"
#include "tests/model/model_fixture.h"

namespace antiphon {
namespace {

using nlohmann::json;

struct Recording {
  const char* model_folder;
  const char* golden;  // path without .json and .safetensors
  size_t least_conversations;
  // Of what the int8 form chooses where it has read what was recorded.
  double least_symbol_agreement;
  double least_code_agreement;
  double largest_logit_error;
};

// How near the int8 form of a model comes to the recording and to the model itself.
struct Agreement {
  int64_t symbols = 0, same_symbols = 0;
  int64_t codes = 0, same_codes = 0;
  double logit_error = 0;
};

// What one position read and wrote, in the recording's terms.
struct Position {
  StreamPosition read;
  int64_t written = -1;
  std::vector<int64_t> frame;
  at::Tensor logits;
  std::vector<at::Tensor> depth_logits;
};

// Runs one conversation greedily.
class Conversation {
 public:
  // `limits` but for max_images, which each turn has its own of.
  Conversation(const LanguageModel& model, float threshold, ResponseLimits limits)
      : model_(model),
        grammar_(model.config()),
        sequence_(model, (model.config().max_positions + 15) / 16, 16),
        threshold_(threshold),
        limits_(limits) {}

  void Type(const std::vector<int64_t>& pieces) {
    std::vector<StreamPosition> plan;
    grammar_.Type(pieces, &state_, &plan);
    Run(plan);
  }

  void Show(const std::vector<int>& codes) { Type(grammar_.ImageSymbols(codes)); }

  // True when the model ends the turn.
  bool Hear(const std::vector<int64_t>& codes) {
    std::vector<StreamPosition> plan;
    grammar_.Hear(codes, &state_, &plan);
    Run(plan);
    Position& position = trace_.back();
    position.written = grammar_.ChooseHearing(Floats(position.logits), threshold_);
    return grammar_.WriteHearing(position.written, &state_).turn_over;
  }

  void Respond(bool speak, int64_t max_images) {
    limits_.max_images = max_images;
    grammar_.BeginResponse(speak, limits_, &state_);
    while (state_.in_response()) {
      std::vector<StreamPosition> plan;
      grammar_.Answer(&state_, &plan);
      const at::Tensor state = Run(plan);
      Position& position = trace_.back();
      if (plan.back().speaks) position.frame = Speak(state, &position);
      position.written = ArgMax(Floats(position.logits), grammar_.allowed(plan.back().rule));
      grammar_.WriteAnswer(position.written, position.frame, &state_);
    }
  }

  const std::vector<Position>& trace() const { return trace_; }

 private:
  // Runs the positions; returns the last one's state [1, width].
  at::Tensor Run(const std::vector<StreamPosition>& plan) {
    const at::Tensor states = sequence_.Run(plan);
    const at::Tensor logits = model_.SymbolLogits(states);
    for (size_t i = 0; i < plan.size(); ++i) {
      trace_.push_back(
          {.read = plan[i], .frame = {}, .logits = logits[static_cast<int64_t>(i)], .depth_logits = {}});
    }
    return states.narrow(0, states.size(0) - 1, 1);
  }

  std::vector<int64_t> Speak(const at::Tensor& state, Position* position) {
    const at::Tensor frame = model_.DrawFrames(state, [&](int64_t, int64_t, const at::Tensor& logits) {
      position->depth_logits.push_back(logits.clone());
      return ArgMax(Floats(logits), {});
    });
    return {frame.data_ptr<int64_t>(), frame.data_ptr<int64_t>() + frame.numel()};
  }

  const LanguageModel& model_;
  const StreamGrammar grammar_;
  SoloSequence sequence_;
  const float threshold_;
  ResponseLimits limits_;
  StreamState state_;
  std::vector<Position> trace_;
};

class LanguageModelGolden : public ::testing::TestWithParam<Recording> {
 protected:
  void SetUp() override {
    const std::string golden = std::string(ANTIPHON_SOURCE_DIR) + "/" + GetParam().golden;
    std::ifstream in(golden + ".json");
    ASSERT_TRUE(in) << golden << ".json is missing";
    summary_ = json::parse(in);
    Result<Safetensors> vectors = Safetensors::Open(golden + ".safetensors");
    ASSERT_TRUE(vectors.ok()) << vectors.status().ToString();
    vectors_ = std::make_unique<Safetensors>(std::move(vectors).value());
    folder_ = std::string(ANTIPHON_SOURCE_DIR) + "/" + GetParam().model_folder;
    model_ = LoadLanguageModel(folder_);
  }

  // The recorded values as a flat list of int64 or as floats.
  std::vector<int64_t> Integers(size_t conversation, const std::string& name) const {
    const at::Tensor tensor = vectors_->Get(Name(conversation, name))->to(at::kLong).contiguous();
    return {tensor.data_ptr<int64_t>(), tensor.data_ptr<int64_t>() + tensor.numel()};
  }
  bool Has(size_t conversation, const std::string& name) const {
    return vectors_->Contains(Name(conversation, name));
  }
  at::Tensor Vector(size_t conversation, const std::string& name) const {
    return *vectors_->Get(Name(conversation, name));
  }

  // Row `at` of a recorded [T, K] list of frames, without the -1 that mean nothing.
  std::vector<int64_t> Frame(const std::vector<int64_t>& recorded, size_t at) const {
    const size_t codebooks = model_->config().codebook_sizes.size();
    std::vector<int64_t> frame(recorded.begin() + at * codebooks, recorded.begin() + (at + 1) * codebooks);
    std::erase(frame, -1);
    return frame;
  }

  void Replay(const json& described, size_t index, Conversation* conversation) const {
    const std::vector<int64_t> heard = Integers(index, "heard");
    size_t at = 0;  // position of the recording from which the next heard frame is taken
    for (const json& turn : described["turns"]) {
      for (const json& codes : turn.value("shown", json::array())) {
        conversation->Show(codes.get<std::vector<int>>());
      }
      if (turn["input"] == "typed") {
        conversation->Type(turn["typed_pieces"].get<std::vector<int64_t>>());
      } else {
        const auto frames = turn["endpoint_frame"].get<int64_t>() + 1;
        bool over = false;
        for (int64_t i = 0; i < frames; ++i) {
          EXPECT_FALSE(over) << "the turn ended " << frames - i << " frames early";
          while (Frame(heard, at).empty()) ++at;
          over = conversation->Hear(Frame(heard, at++));
        }
        EXPECT_NE(over, turn["endpoint_forced"].get<bool>());
      }
      conversation->Respond(turn["speak"].get<bool>(), turn.value("pictures", 1));
      if (HasFailure()) return;
    }
  }

  void CompareTokens(const std::vector<Position>& trace, size_t index) const {
    const std::vector<int64_t> symbol = Integers(index, "symbol"), phase = Integers(index, "phase");
    const std::vector<int64_t> heard = Integers(index, "heard"), spoken = Integers(index, "spoken");
    const std::vector<int64_t> written = Integers(index, "written"), frame = Integers(index, "frame");
    // The trainer reads the `<end>` of a last written answer at once, the grammar with the next turn.
    const bool unread_end = phase.back() == 0 && symbol.back() == model_->config().symbols.end;
    ASSERT_EQ(trace.size(), symbol.size() - (unread_end ? 1 : 0));
    for (size_t at = 0; at < trace.size(); ++at) {
      SCOPED_TRACE("position " + std::to_string(at));
      const Position& position = trace[at];
      ASSERT_EQ(position.read.symbol, symbol[at]);
      ASSERT_EQ(position.read.heard, Frame(heard, at));
      ASSERT_EQ(position.read.spoken, Frame(spoken, at));
      // Whether a picture may begin, or a manner be chosen, is not recorded: what is written there tells.
      const SymbolRule rule = position.read.rule;
      ASSERT_EQ(static_cast<int64_t>(rule > SymbolRule::kAnsweringMore ? SymbolRule::kAnswering : rule),
                phase[at]);
      ASSERT_EQ(position.written, written[at]);
      std::vector<int64_t> codes = position.frame;
      if (!codes.empty() && codes[0] == model_->config().end_of_audio()) codes.resize(1);
      ASSERT_EQ(codes, Frame(frame, at));
    }
  }

  void CompareLogits(const std::vector<Position>& trace, size_t index) const {
    const auto tolerance = summary_["logit_tolerance"].get<double>();
    const std::vector<int64_t> at = Integers(index, "at");
    for (size_t i = 0; i < at.size(); ++i) {
      const at::Tensor expected = Vector(index, "logits")[static_cast<int64_t>(i)];
      EXPECT_LT((trace.at(at[i]).logits - expected).abs().max().item<double>(), tolerance);
    }
    if (!Has(index, "depth_at")) return;
    const std::vector<int64_t> depth_at = Integers(index, "depth_at");
    for (size_t i = 0; i < depth_at.size(); ++i) {
      const std::vector<at::Tensor>& levels = trace.at(depth_at[i]).depth_logits;
      ASSERT_EQ(levels.size(), model_->config().codebook_sizes.size());
      for (size_t k = 0; k < levels.size(); ++k) {
        const at::Tensor expected =
            Vector(index, "depth_logits." + std::to_string(k))[static_cast<int64_t>(i)];
        EXPECT_LT((levels[k] - expected).abs().max().item<double>(), tolerance) << "codebook " << k;
      }
    }
  }

  // The recorded conversation as positions to run.
  std::vector<StreamPosition> Positions(size_t index) const {
    const std::vector<int64_t> symbol = Integers(index, "symbol");
    const std::vector<int64_t> heard = Integers(index, "heard"), spoken = Integers(index, "spoken");
    std::vector<StreamPosition> positions;
    for (size_t at = 0; at < symbol.size(); ++at) {
      positions.push_back({.symbol = symbol[at], .heard = Frame(heard, at), .spoken = Frame(spoken, at)});
    }
    return positions;
  }

  // What a model writes at a position, greedily; -1 where it has no choice.
  int64_t Choose(const at::Tensor& logits, int64_t phase, int64_t written) const {
    const StreamGrammar grammar(model_->config());
    auto rule = static_cast<SymbolRule>(phase);
    if (rule == SymbolRule::kHearing) {
      return grammar.ChooseHearing(Floats(logits), summary_["endpoint_threshold"].get<float>());
    }
    if (rule != SymbolRule::kAnswering && rule != SymbolRule::kImageCode) return -1;
    // Whether a picture may begin, a speed or a voice be chosen is not recorded: what was written tells.
    if (rule == SymbolRule::kAnswering) {
      const ModelConfig& config = model_->config();
      rule = AnsweringRule(written == config.image.begin, config.manner.SpeedOf(written).has_value(),
                           config.manner.VoiceOf(written).has_value());
    }
    return ArgMax(Floats(logits), grammar.allowed(rule));
  }

  // Runs the recorded conversation through the model and its int8 form, position by position the same.
  void Compare(const LanguageModel& int8, size_t index, Agreement* agreement) const {
    const std::vector<StreamPosition> positions = Positions(index);
    const auto pages = static_cast<int64_t>(positions.size() + 15) / 16;
    const at::Tensor states = SoloSequence(int8, pages, 16).Run(positions);
    const at::Tensor logits = int8.SymbolLogits(states);
    const at::Tensor exact = model_->SymbolLogits(SoloSequence(*model_, pages, 16).Run(positions));
    agreement->logit_error = std::max(agreement->logit_error, (logits - exact).abs().max().item<double>());
    const std::vector<int64_t> phase = Integers(index, "phase"), written = Integers(index, "written");
    const std::vector<int64_t> frames = Integers(index, "frame");
    for (size_t at = 0; at < positions.size(); ++at) {
      const auto row = static_cast<int64_t>(at);
      if (const int64_t chosen = Choose(logits[row], phase[at], written[at]); chosen >= 0) {
        ++agreement->symbols;
        agreement->same_symbols += chosen == written[at];
      }
      const std::vector<int64_t> frame = Frame(frames, at);
      if (frame.empty()) continue;
      (void)int8.DrawFrames(states.narrow(0, row, 1), [&](int64_t, int64_t k, const at::Tensor& code_logits) {
        const int64_t code = frame.at(static_cast<size_t>(k));
        ++agreement->codes;
        agreement->same_codes += ArgMax(Floats(code_logits), {}) == code;
        return code;
      });
    }
  }

  json summary_;
  std::string folder_;
  std::unique_ptr<Safetensors> vectors_;
  std::unique_ptr<LanguageModel> model_;

 private:
  static std::string Name(size_t conversation, const std::string& name) {
    return "c" + std::to_string(conversation) + "." + name;
  }
};

TEST_P(LanguageModelGolden, WritesTheTokensOfTheTrainer) {
  const json& conversations = summary_["conversations"];
  ASSERT_GE(conversations.size(), GetParam().least_conversations);
  const ResponseLimits limits = {.max_pieces = summary_["max_text_pieces"].get<int64_t>(),
                                 .max_frames = summary_["max_spoken_frames"].get<int64_t>()};
  for (size_t i = 0; i < conversations.size(); ++i) {
    SCOPED_TRACE("conversation " + std::to_string(i));
    Conversation conversation(*model_, summary_["endpoint_threshold"].get<float>(), limits);
    Replay(conversations[i], i, &conversation);
    CompareTokens(conversation.trace(), i);
    if (HasFailure()) return;
    CompareLogits(conversation.trace(), i);
  }
}

TEST_P(LanguageModelGolden, ItsInt8FormWritesNearlyTheSame) {
  const std::unique_ptr<LanguageModel> int8 = LoadLanguageModel(folder_, WeightFormat::kInt8);
  Agreement agreement;
  for (size_t i = 0; i < summary_["conversations"].size(); ++i) Compare(*int8, i, &agreement);
  ASSERT_GT(agreement.symbols, 100);
  ASSERT_GT(agreement.codes, 100);
  std::printf("symbols %ld of %ld, codes %ld of %ld the same; largest logit error %.3f\n",
              agreement.same_symbols, agreement.symbols, agreement.same_codes, agreement.codes,
              agreement.logit_error);
  const auto share = [](int64_t part, int64_t all) {
    return static_cast<double>(part) / static_cast<double>(all);
  };
  EXPECT_GE(share(agreement.same_symbols, agreement.symbols), GetParam().least_symbol_agreement);
  EXPECT_GE(share(agreement.same_codes, agreement.codes), GetParam().least_code_agreement);
  EXPECT_LE(agreement.logit_error, GetParam().largest_logit_error);
}

INSTANTIATE_TEST_SUITE_P(Models, LanguageModelGolden,
                         ::testing::Values(Recording{.model_folder = "tests/golden/tiny_model",
                                                     .golden = "tests/golden/tiny_model/golden",
                                                     .least_conversations = 20,
                                                     .least_symbol_agreement = 0.98,
                                                     .least_code_agreement = 0.97,
                                                     .largest_logit_error = 0.5},
                                           Recording{.model_folder = "models/wren",
                                                     .golden = "tests/golden/language_model",
                                                     .least_conversations = 20,
                                                     .least_symbol_agreement = 0.99,
                                                     .least_code_agreement = 0.98,
                                                     .largest_logit_error = 0.6}),
                         [](const auto& recording) {
                           return std::filesystem::path(recording.param.model_folder).filename().string();
                         });

}  // namespace
}  // namespace antiphon
