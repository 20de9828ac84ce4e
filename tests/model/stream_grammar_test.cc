#include "model/stream_grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/stream_grammar_fixture.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kPad = 0, kUnk = 1, kBos = 2, kEnd = 3, kUser = 4, kAssistant = 5;
constexpr int64_t kEndOfAudio = 40;
const std::vector<int64_t> kHeard = {11, 12, 13};
const std::vector<int64_t> kFrame = {21, 22, 23};
const std::vector<int64_t> kLastFrame = {kEndOfAudio, 0, 0};

ModelConfig Config() {
  ModelConfig config;
  config.symbols = {.vocab_size = 16,
                    .text_pieces = 16,
                    .pad = kPad,
                    .unk = kUnk,
                    .bos = kBos,
                    .end = kEnd,
                    .user = kUser,
                    .assistant = kAssistant};
  config.codebook_sizes = {kEndOfAudio, 30, 30};
  config.speech_lead = 2;
  return config;
}

class StreamGrammarTest : public StreamGrammarFixture {
 protected:
  StreamGrammarTest() : StreamGrammarFixture(Config(), kHeard) {}

  AnswerOutcome Write(int64_t symbol, const std::vector<int64_t>& codes = {}) {
    return grammar_.WriteAnswer(symbol, codes, &state_);
  }
  // Runs one response position with whatever codes it asks for.
  AnswerOutcome Step(int64_t symbol, const std::vector<int64_t>& codes) {
    return Write(symbol, Answer().speaks ? codes : std::vector<int64_t>{});
  }
};

TEST_F(StreamGrammarTest, ASpokenTurnReadsWhatItWroteOneFrameLater) {
  std::vector<StreamPosition> plan = Hear();
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[0].symbol, kBos);
  EXPECT_FALSE(plan[0].has_output());
  EXPECT_EQ(plan[1].symbol, kUser);
  EXPECT_EQ(plan[1].heard, kHeard);
  EXPECT_EQ(plan[1].rule, SymbolRule::kHearing);
  EXPECT_FALSE(plan[1].speaks);
  EXPECT_TRUE(state_.awaits_output);
  EXPECT_EQ(grammar_.WriteHearing(kPad, &state_).piece, -1);

  plan = Hear();
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].symbol, kPad);
  EXPECT_EQ(grammar_.WriteHearing(9, &state_).piece, 9);
  EXPECT_EQ(Hear()[0].symbol, 9);
  EXPECT_TRUE(grammar_.WriteHearing(kAssistant, &state_).turn_over);

  grammar_.BeginResponse(/*speak=*/false, {}, &state_);
  const StreamPosition first = Answer();
  EXPECT_EQ(first.symbol, kAssistant);
  EXPECT_THAT(first.heard, IsEmpty());
}

TEST_F(StreamGrammarTest, ATypedTurnIsUserThenItsPieces) {
  const std::vector<StreamPosition> plan = Type({7, 8});
  ASSERT_EQ(plan.size(), 4u);
  EXPECT_EQ(plan[0].symbol, kBos);
  EXPECT_EQ(plan[1].symbol, kUser);
  EXPECT_EQ(plan[2].symbol, 7);
  EXPECT_EQ(plan[3].symbol, 8);
  for (const StreamPosition& position : plan) {
    EXPECT_FALSE(position.has_output());
    EXPECT_THAT(position.heard, IsEmpty());
  }
  EXPECT_FALSE(state_.awaits_output);
  EXPECT_EQ(Type({9}).size(), 1u) << "the turn is open already";
}

TEST_F(StreamGrammarTest, TypingBetweenHeardFramesDoesNotLoseATranscriptPiece) {
  Hear();
  grammar_.WriteHearing(9, &state_);
  Type({7});
  const std::vector<StreamPosition> plan = Hear();
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].symbol, 9);
}

TEST_F(StreamGrammarTest, ASpokenAnswerBeginsLeadPositionsInAndReadsItsFramesBack) {
  BeginResponse(/*speak=*/true);
  StreamPosition position = Answer();  // j = 0
  EXPECT_EQ(position.symbol, kAssistant);
  EXPECT_EQ(position.rule, SymbolRule::kAnswering);
  EXPECT_FALSE(position.speaks);
  EXPECT_EQ(Write(7).piece, 7);
  position = Answer();  // j = 1
  EXPECT_EQ(position.symbol, 7);
  EXPECT_FALSE(position.speaks);
  AnswerOutcome outcome = Write(kEnd);
  EXPECT_TRUE(outcome.text_over);
  EXPECT_EQ(outcome.piece, -1);
  EXPECT_FALSE(outcome.done) << "the speech is still to come";
  position = Answer();  // j = 2
  EXPECT_EQ(position.symbol, kEnd);
  EXPECT_EQ(position.rule, SymbolRule::kPad);
  EXPECT_TRUE(position.speaks);
  EXPECT_THAT(position.spoken, IsEmpty());
  EXPECT_TRUE(Write(kPad, kFrame).has_frame);
  position = Answer();
  EXPECT_EQ(position.symbol, kPad);
  EXPECT_EQ(position.spoken, kFrame);
  outcome = Write(kPad, kLastFrame);
  EXPECT_FALSE(outcome.has_frame) << "end of audio is not played";
  EXPECT_TRUE(outcome.audio_over);
  EXPECT_TRUE(outcome.done);
  EXPECT_FALSE(state_.incomplete);

  const std::vector<StreamPosition> next = Hear();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].symbol, kUser);
  EXPECT_THAT(next[0].spoken, IsEmpty());
}

TEST_F(StreamGrammarTest, SpeechMayEndBeforeTheText) {
  BeginResponse(/*speak=*/true);
  Step(7, {});
  Step(8, {});
  AnswerOutcome outcome = Step(9, kLastFrame);
  EXPECT_TRUE(outcome.audio_over);
  EXPECT_FALSE(outcome.done);
  const StreamPosition position = Answer();
  EXPECT_FALSE(position.speaks);
  EXPECT_THAT(position.spoken, IsEmpty()) << "end of audio is not read back";
  outcome = Write(kEnd);
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(Hear().size(), 1u);
}

TEST_F(StreamGrammarTest, AWrittenAnswerOwesTheReadingOfItsEnd) {
  BeginResponse(/*speak=*/false);
  for (const int64_t piece : {7, 8, 9}) {
    EXPECT_FALSE(Answer().speaks);
    EXPECT_EQ(Write(piece).piece, piece);
  }
  Answer();
  EXPECT_TRUE(Write(kEnd).done);
  EXPECT_FALSE(state_.in_response());
  const std::vector<StreamPosition> next = Type({7});
  ASSERT_EQ(next.size(), 3u);
  EXPECT_EQ(next[0].symbol, kEnd);
  EXPECT_FALSE(next[0].has_output());
  EXPECT_EQ(next[1].symbol, kUser);
  EXPECT_EQ(next[2].symbol, 7);
}

TEST_F(StreamGrammarTest, LimitsEndAnAnswerAsIncomplete) {
  BeginResponse(/*speak=*/true, {.max_pieces = 1, .max_frames = 2});
  Step(7, {});
  AnswerOutcome outcome = Step(8, {});  // one piece too many becomes `<end>`
  EXPECT_EQ(outcome.piece, -1);
  EXPECT_TRUE(outcome.text_over);
  EXPECT_TRUE(state_.incomplete);
  EXPECT_EQ(state_.next_symbol, kEnd);
  EXPECT_FALSE(Step(kPad, kFrame).audio_over);
  outcome = Step(kPad, kFrame);
  EXPECT_TRUE(outcome.has_frame) << "the last frame of the limit is played";
  EXPECT_TRUE(outcome.done);
}

TEST_F(StreamGrammarTest, AnAnswerOfExactlyTheLimitIsComplete) {
  BeginResponse(/*speak=*/false, {.max_pieces = 1, .max_frames = 1});
  Step(7, {});
  EXPECT_TRUE(Step(kEnd, {}).done);
  EXPECT_FALSE(state_.incomplete);
}

TEST_F(StreamGrammarTest, ACancelledAnswerGoesStraightToTheNextTurn) {
  BeginResponse(/*speak=*/true);
  Step(7, {});
  Answer();
  EXPECT_TRUE(state_.awaits_output);
  grammar_.CancelResponse(&state_);
  EXPECT_FALSE(state_.awaits_output);
  const std::vector<StreamPosition> next = Hear();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].symbol, kUser);
}

TEST_F(StreamGrammarTest, AStateIsAValue) {
  Type({10});
  const StreamState turn_begun = state_;
  Hear();
  grammar_.WriteHearing(9, &state_);
  EXPECT_NE(state_, turn_begun);
  state_ = turn_begun;
  EXPECT_EQ(Hear()[0].symbol, kPad) << "as if the first frame had never come";
}

TEST_F(StreamGrammarTest, RulesAllowWhatTheStreamHolds) {
  const auto allowed = [&](SymbolRule rule) {
    std::vector<int64_t> ids;
    for (int64_t id = 0; id < 16; ++id) {
      if (grammar_.allowed(rule)[id] != 0) ids.push_back(id);
    }
    return ids;
  };
  EXPECT_THAT(allowed(SymbolRule::kHearing), ElementsAre(kPad, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(allowed(SymbolRule::kAnswering), ElementsAre(kEnd, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(allowed(SymbolRule::kPad), ElementsAre(kPad));
  for (const int64_t id : {kPad, kUnk, kBos, kEnd, kUser, kAssistant, int64_t{-1}, int64_t{16}}) {
    EXPECT_FALSE(grammar_.is_text(id)) << id;
  }
  EXPECT_TRUE(grammar_.is_text(6));
  EXPECT_TRUE(grammar_.is_text(15));
}

TEST_F(StreamGrammarTest, TheTurnEndsOnlyAboveTheThreshold) {
  std::vector<float> logits(16, -20.0f);
  logits[kAssistant] = 2.0f;
  logits[7] = 0.0f;
  const double probability = grammar_.EndpointProbability(logits);
  EXPECT_NEAR(probability, 1.0 / (1.0 + std::exp(-2.0)), 1e-6);
  EXPECT_EQ(grammar_.ChooseHearing(logits, 0.87f), kAssistant);
  EXPECT_EQ(grammar_.ChooseHearing(logits, 0.89f), kPad) << "no word is due";
  logits[kAssistant] = 60.0f;
  EXPECT_EQ(grammar_.ChooseHearing(logits, 1.0f), kPad) << "1 means never";
  logits[kAssistant] = -0.1f;  // less than one half
  EXPECT_EQ(grammar_.ChooseHearing(logits, 0.89f), 7) << "the likeliest of the others";
}

TEST_F(StreamGrammarTest, HearingNeverWritesAnotherControlSymbol) {
  std::vector<float> logits(16, 0.0f);
  for (const int64_t control : {kUnk, kBos, kEnd, kUser}) logits[control] = 9.0f;
  logits[12] = 1.0f;
  EXPECT_EQ(grammar_.ChooseHearing(logits, 0.9f), 12);
}

TEST_F(StreamGrammarTest, InstructionsStandBeforeTheFirstTurn) {
  std::vector<StreamPosition> plan;
  grammar_.Instruct(std::vector<int64_t>{8, 9}, &state_, &plan);
  ASSERT_EQ(plan.size(), 3u);
  const int64_t symbols[] = {kBos, 8, 9};
  for (size_t i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(plan[i].symbol, symbols[i]);
    EXPECT_FALSE(plan[i].has_output());
  }
  EXPECT_EQ(state_.phase, StreamState::Phase::kBetween);
  plan = Hear();
  ASSERT_EQ(plan.size(), 1u) << "`<bos>` was read";
  EXPECT_EQ(plan[0].symbol, kUser);
  EXPECT_EQ(plan[0].heard, kHeard);
}

}  // namespace
}  // namespace antiphon
