// Control symbols in an answer that choose how later ones are spoken.
#include <gtest/gtest.h>

#include "model/stream_grammar.h"
#include "tests/model/stream_grammar_fixture.h"

namespace antiphon {
namespace {

constexpr int64_t kPad = 0, kEnd = 3, kAssistant = 5, kPiece = 9;
constexpr int64_t kSlow = 16, kNormal = 24, kFast = 18, kOwn = 19, kLow = 17;
constexpr int64_t kImage = 20, kImageEnd = 21, kFirstCode = 22;  // two codes
const std::vector<int64_t> kFrame = {21, 22};

ModelConfig Config() {
  ModelConfig config;
  config.symbols = {.vocab_size = 26,
                    .text_pieces = 16,
                    .pad = kPad,
                    .unk = 1,
                    .bos = 2,
                    .end = kEnd,
                    .user = 4,
                    .assistant = kAssistant};
  config.codebook_sizes = {40, 30};
  config.speech_lead = 1;
  config.image = {
      .side = 16, .grid = 1, .codebook_size = 2, .begin = kImage, .end = kImageEnd, .first_code = kFirstCode};
  config.manner = {.speeds = {kSlow, kNormal, kFast}, .voices = {kOwn, kLow}};
  return config;
}

class StreamGrammarMannerTest : public StreamGrammarFixture {
 protected:
  StreamGrammarMannerTest() : StreamGrammarFixture(Config(), {11, 12}) {}

  bool Allows(const StreamPosition& position, int64_t symbol) const {
    return grammar_.allowed(position.rule)[static_cast<size_t>(symbol)] != 0;
  }
  // Runs one position, which must be allowed to write `symbol`.
  AnswerOutcome Step(int64_t symbol) {
    const StreamPosition position = Answer();
    EXPECT_TRUE(Allows(position, symbol)) << symbol;
    return grammar_.WriteAnswer(symbol, position.speaks ? kFrame : std::vector<int64_t>{}, &state_);
  }
};

TEST_F(StreamGrammarMannerTest, ASymbolChoosesAndIsReadBackButIsNoText) {
  BeginResponse(/*speak=*/true);
  EXPECT_EQ(Step(kPiece).piece, kPiece);
  const AnswerOutcome chosen = Step(kFast);
  EXPECT_EQ(chosen.speed, SpeechSpeed::kFast);
  EXPECT_EQ(chosen.voice, std::nullopt);
  EXPECT_EQ(chosen.piece, -1);
  EXPECT_TRUE(chosen.has_frame) << "the voice goes on meanwhile";
  EXPECT_FALSE(chosen.text_over);
  EXPECT_EQ(state_.pieces, 1);
  EXPECT_EQ(state_.next_symbol, kFast);
  EXPECT_TRUE(Step(kEnd).text_over);
}

TEST_F(StreamGrammarMannerTest, EverySymbolMeansItsChoice) {
  BeginResponse(/*speak=*/false);
  const StreamState begun = state_;
  const std::pair<int64_t, SpeechSpeed> speeds[] = {
      {kSlow, SpeechSpeed::kSlow}, {kNormal, SpeechSpeed::kNormal}, {kFast, SpeechSpeed::kFast}};
  for (const auto& [symbol, speed] : speeds) {
    state_ = begun;
    EXPECT_EQ(Step(symbol).speed, speed);
  }
  const std::pair<int64_t, SpeechVoice> voices[] = {{kOwn, SpeechVoice::kOwn}, {kLow, SpeechVoice::kLow}};
  for (const auto& [symbol, voice] : voices) {
    state_ = begun;
    EXPECT_EQ(Step(symbol).voice, voice);
  }
}

TEST_F(StreamGrammarMannerTest, AtMostOneOfEachKindInAResponse) {
  BeginResponse(/*speak=*/false);
  Step(kLow);
  StreamPosition position = Answer();
  for (const int64_t symbol : {kOwn, kLow}) EXPECT_FALSE(Allows(position, symbol)) << symbol;
  for (const int64_t symbol : {kSlow, kNormal, kFast, kImage, kEnd, kPiece}) {
    EXPECT_TRUE(Allows(position, symbol)) << symbol;
  }
  grammar_.WriteAnswer(kSlow, {}, &state_);
  position = Answer();
  for (const int64_t symbol : {kSlow, kNormal, kFast, kOwn, kLow}) {
    EXPECT_FALSE(Allows(position, symbol)) << symbol;
  }
  EXPECT_TRUE(Allows(position, kImage));
  grammar_.WriteAnswer(kEnd, {}, &state_);
  BeginResponse(/*speak=*/false);  // the next response may choose anew
  Step(kFast);
}

TEST_F(StreamGrammarMannerTest, NowhereElse) {
  const std::vector<StreamPosition> heard = Hear();
  for (const int64_t symbol : {kSlow, kNormal, kFast, kOwn, kLow}) {
    EXPECT_FALSE(Allows(heard.back(), symbol)) << symbol;
    EXPECT_FALSE(grammar_.is_text(symbol));
  }
  grammar_.WriteHearing(kPad, &state_);
  BeginResponse(/*speak=*/true);
  Step(kImage);
  const StreamPosition drawing = Answer();
  for (const int64_t symbol : {kSlow, kLow}) EXPECT_FALSE(Allows(drawing, symbol)) << symbol;
  grammar_.WriteAnswer(kFirstCode, kFrame, &state_);
  Step(kImageEnd);
  Step(kEnd);
  EXPECT_EQ(grammar_.forced(Answer().rule), kPad);
}

TEST_F(StreamGrammarMannerTest, TheLimitOfTheTextDoesNotCountThem) {
  BeginResponse(/*speak=*/false, {.max_pieces = 1});
  Step(kPiece);
  EXPECT_EQ(Step(kSlow).speed, SpeechSpeed::kSlow);
  EXPECT_FALSE(state_.incomplete);
  EXPECT_TRUE(Step(kEnd).done);
  EXPECT_FALSE(state_.incomplete);
}

TEST(StreamGrammarWithoutMannersTest, AllowsNone) {
  ModelConfig config = Config();
  config.manner = {};
  const StreamGrammar grammar(config);
  StreamState state;
  std::vector<StreamPosition> plan;
  grammar.Type(std::vector<int64_t>{10}, &state, &plan);
  grammar.BeginResponse(/*speak=*/false, {}, &state);
  grammar.Answer(&state, &plan);
  EXPECT_EQ(plan.back().rule, SymbolRule::kAnsweringImage);
  for (const int64_t symbol : {kSlow, kNormal, kFast, kOwn, kLow}) {
    EXPECT_EQ(grammar.allowed(plan.back().rule)[static_cast<size_t>(symbol)], 0);
  }
}

}  // namespace
}  // namespace antiphon
