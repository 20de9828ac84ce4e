// Pictures in the token stream: shown in a turn, drawn in an answer, given up in the middle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/stream_grammar.h"
#include "tests/model/stream_grammar_fixture.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kPad = 0, kBos = 2, kEnd = 3, kUser = 4, kAssistant = 5;
constexpr int64_t kImage = 17, kImageEnd = 18, kFirstCode = 20;  // 16, 19 and 26 are reserved
constexpr int64_t kEndOfAudio = 40;
const std::vector<int64_t> kHeard = {11, 12};
const std::vector<int64_t> kFrame = {21, 22};
const std::vector<int64_t> kLastFrame = {kEndOfAudio, 0};

ModelConfig Config() {
  ModelConfig config;
  config.symbols = {.vocab_size = 27,
                    .text_pieces = 16,
                    .pad = kPad,
                    .unk = 1,
                    .bos = kBos,
                    .end = kEnd,
                    .user = kUser,
                    .assistant = kAssistant};
  config.codebook_sizes = {kEndOfAudio, 30};
  config.speech_lead = 1;
  config.image = {
      .side = 16, .grid = 2, .codebook_size = 6, .begin = kImage, .end = kImageEnd, .first_code = kFirstCode};
  return config;
}

std::vector<int64_t> Symbols(const std::vector<StreamPosition>& plan) {
  std::vector<int64_t> symbols;
  for (const StreamPosition& position : plan) symbols.push_back(position.symbol);
  return symbols;
}

class StreamGrammarImageTest : public StreamGrammarFixture {
 protected:
  StreamGrammarImageTest() : StreamGrammarFixture(Config(), kHeard) {}

  // Runs one response position, which must read `reads`, and writes `symbol`.
  AnswerOutcome Step(int64_t reads, int64_t symbol, const std::vector<int64_t>& codes = {}) {
    const StreamPosition position = Answer();
    EXPECT_EQ(position.symbol, reads);
    const std::span<const uint8_t> allowed = grammar_.allowed(position.rule);
    EXPECT_EQ(allowed[static_cast<size_t>(symbol)], 1) << symbol;
    return grammar_.WriteAnswer(symbol, position.speaks ? codes : std::vector<int64_t>{}, &state_);
  }
  // From `<image>` written to `</image>` written.
  void Draw() {
    int64_t last = kImage;
    for (int64_t code = kFirstCode; code < kFirstCode + 4; ++code) {
      Step(last, code, kFrame);
      last = code;
    }
    Step(last, kImageEnd, kFrame);
  }
};

TEST_F(StreamGrammarImageTest, AShownPictureIsReadLikeTypedPieces) {
  const std::vector<int64_t> symbols = grammar_.ImageSymbols(std::vector<int>{5, 0, 1, 2});
  EXPECT_THAT(symbols, ElementsAre(kImage, 25, 20, 21, 22, kImageEnd));
  const std::vector<StreamPosition> plan = Type({symbols.begin(), symbols.begin() + 2});
  EXPECT_THAT(Symbols(plan), ElementsAre(kBos, kUser, kImage, 25));
  for (const StreamPosition& position : plan) EXPECT_FALSE(position.has_output());
  EXPECT_THAT(Symbols(Type({symbols.begin() + 2, symbols.end()})), ElementsAre(20, 21, 22, kImageEnd));
  EXPECT_THAT(Symbols(Type({7})), ElementsAre(7));
}

TEST_F(StreamGrammarImageTest, APictureBetweenHeardFramesDoesNotLoseATranscriptPiece) {
  Hear();
  grammar_.WriteHearing(9, &state_);
  Type(grammar_.ImageSymbols(std::vector<int>{0, 0, 0, 0}));
  EXPECT_THAT(Symbols(Hear()), ElementsAre(9));
}

TEST_F(StreamGrammarImageTest, AWrittenAnswerDrawsAPicture) {
  BeginResponse(/*speak=*/false);
  EXPECT_EQ(Step(kAssistant, 7).piece, 7);
  AnswerOutcome outcome = Step(7, kImage);
  EXPECT_TRUE(outcome.image_begun);
  EXPECT_EQ(outcome.piece, -1);
  EXPECT_EQ(outcome.image_code, -1);
  for (int64_t code = 0; code < 4; ++code) {
    const StreamPosition position = Answer();
    EXPECT_EQ(position.symbol, code == 0 ? kImage : kFirstCode + code - 1);
    EXPECT_EQ(position.rule, SymbolRule::kImageCode);
    outcome = grammar_.WriteAnswer(kFirstCode + code, {}, &state_);
    EXPECT_EQ(outcome.image_code, code);
    EXPECT_EQ(outcome.image_complete, code == 3);
    EXPECT_EQ(outcome.piece, -1);
    EXPECT_FALSE(outcome.image_begun);
  }
  const StreamPosition closing = Answer();
  EXPECT_EQ(closing.symbol, kFirstCode + 3);
  EXPECT_EQ(closing.rule, SymbolRule::kImageEnd);
  EXPECT_EQ(grammar_.forced(closing.rule), kImageEnd);
  outcome = grammar_.WriteAnswer(kImageEnd, {}, &state_);
  EXPECT_FALSE(outcome.image_begun || outcome.image_complete || outcome.image_code >= 0 || outcome.done);
  EXPECT_EQ(Step(kImageEnd, 8).piece, 8) << "answering goes on";
  EXPECT_TRUE(Step(8, kEnd).done);
  EXPECT_EQ(state_.pieces, 2);
  EXPECT_FALSE(state_.incomplete);
  EXPECT_THAT(Symbols(Type({7})), ElementsAre(kEnd, kUser, 7));
}

TEST_F(StreamGrammarImageTest, TheVoiceGoesOnWhileItDraws) {
  BeginResponse(/*speak=*/true);
  Step(kAssistant, kImage);
  for (int64_t at = 0; at < 5; ++at) {
    const StreamPosition position = Answer();
    EXPECT_TRUE(position.speaks);
    EXPECT_EQ(position.spoken, at == 0 ? std::vector<int64_t>{} : kFrame);
    const int64_t forced = grammar_.forced(position.rule);
    EXPECT_EQ(forced, at == 4 ? kImageEnd : -1);
    EXPECT_TRUE(grammar_.WriteAnswer(at == 4 ? forced : kFirstCode, kFrame, &state_).has_frame);
  }
  EXPECT_TRUE(Step(kImageEnd, kEnd, kFrame).text_over);
  EXPECT_EQ(Answer().rule, SymbolRule::kPad);
  EXPECT_TRUE(grammar_.WriteAnswer(kPad, kLastFrame, &state_).done);
  EXPECT_THAT(Symbols(Hear()), ElementsAre(kUser));
}

TEST_F(StreamGrammarImageTest, TheVoiceMayEndBeforeThePicture) {
  BeginResponse(/*speak=*/true);
  Step(kAssistant, kImage);
  const AnswerOutcome outcome = Step(kImage, kFirstCode, kLastFrame);
  EXPECT_TRUE(outcome.audio_over);
  EXPECT_FALSE(outcome.done);
  for (int64_t at = 0; at < 3; ++at) {
    const StreamPosition position = Answer();
    EXPECT_FALSE(position.speaks);
    EXPECT_THAT(position.spoken, IsEmpty());
    EXPECT_FALSE(grammar_.WriteAnswer(kFirstCode, {}, &state_).done);
  }
  EXPECT_FALSE(Step(kFirstCode, kImageEnd).done);
  EXPECT_TRUE(Step(kImageEnd, kEnd).done);
}

TEST_F(StreamGrammarImageTest, NoMorePicturesThanAllowed) {
  BeginResponse(/*speak=*/false, {.max_images = 2});
  Step(kAssistant, kImage);
  Draw();
  EXPECT_EQ(Step(kImageEnd, kImage).image_begun, true);
  Draw();
  EXPECT_EQ(state_.images, 2);
  const StreamPosition position = Answer();
  EXPECT_EQ(position.rule, SymbolRule::kAnswering);
  EXPECT_EQ(grammar_.allowed(position.rule)[kImage], 0);
  EXPECT_TRUE(grammar_.WriteAnswer(kEnd, {}, &state_).done);

  BeginResponse(/*speak=*/false, {.max_images = 0});
  EXPECT_EQ(Answer().rule, SymbolRule::kAnswering);
}

TEST_F(StreamGrammarImageTest, TheLimitOfTheTextWaitsForThePicture) {
  BeginResponse(/*speak=*/false, {.max_pieces = 1});
  Step(kAssistant, 7);
  EXPECT_TRUE(Step(7, kImage).image_begun) << "a picture is no piece";
  Draw();
  EXPECT_FALSE(state_.incomplete);
  const AnswerOutcome outcome = Step(kImageEnd, 8);
  EXPECT_EQ(outcome.piece, -1);
  EXPECT_TRUE(outcome.done);
  EXPECT_TRUE(state_.incomplete);
  EXPECT_EQ(state_.images, 1);
}

TEST_F(StreamGrammarImageTest, TheLimitOfTheSpeechLeavesThePictureAlone) {
  BeginResponse(/*speak=*/true, {.max_frames = 1});
  Step(kAssistant, kImage);
  EXPECT_TRUE(Step(kImage, kFirstCode, kFrame).audio_over);
  EXPECT_EQ(Answer().rule, SymbolRule::kImageCode);
}

TEST_F(StreamGrammarImageTest, APictureThatIsGivenUpIsClosedByTheNextTurn) {
  BeginResponse(/*speak=*/true);
  Step(kAssistant, kImage);
  Step(kImage, kFirstCode, kFrame);
  grammar_.CancelResponse(&state_);
  EXPECT_FALSE(state_.in_response());
  const StreamState between = state_;
  EXPECT_THAT(Symbols(Type({7})), ElementsAre(kImageEnd, kUser, 7));
  state_ = between;
  const std::vector<StreamPosition> plan = Hear();
  EXPECT_THAT(Symbols(plan), ElementsAre(kImageEnd, kUser));
  EXPECT_FALSE(plan[0].has_output());
  grammar_.WriteHearing(kPad, &state_);
  grammar_.BeginResponse(false, {}, &state_);
  grammar_.CancelResponse(&state_);
  EXPECT_THAT(Symbols(Type({7})), ElementsAre(kUser, 7)) << "only once";
}

TEST_F(StreamGrammarImageTest, OnlyWhatWasReadIsClosed) {
  BeginResponse(/*speak=*/false);
  Step(kAssistant, kImage);
  grammar_.CancelResponse(&state_);  // `<image>` was written, but no position reads it
  EXPECT_THAT(Symbols(Type({7})), ElementsAre(kUser, 7));

  grammar_.BeginResponse(false, {}, &state_);
  Step(kAssistant, kImage);
  Answer();
  grammar_.CancelResponse(&state_);  // the position that reads it was run, its output is dropped
  EXPECT_THAT(Symbols(Type({7})), ElementsAre(kImageEnd, kUser, 7));

  grammar_.BeginResponse(false, {}, &state_);
  Step(kAssistant, kImage);
  Draw();
  const StreamState written = state_;
  grammar_.CancelResponse(&state_);  // `</image>` was written, but not read
  EXPECT_THAT(Symbols(Type({7})), ElementsAre(kImageEnd, kUser, 7));
  state_ = written;
  Answer();
  grammar_.CancelResponse(&state_);
  EXPECT_THAT(Symbols(Type({7})), ElementsAre(kUser, 7));
}

TEST_F(StreamGrammarImageTest, RulesKeepTextAndPicturesApart) {
  const auto allowed = [&](SymbolRule rule) {
    std::vector<int64_t> ids;
    for (int64_t id = 0; id < 27; ++id) {
      if (grammar_.allowed(rule)[static_cast<size_t>(id)] != 0) ids.push_back(id);
    }
    return ids;
  };
  EXPECT_THAT(allowed(SymbolRule::kHearing), ElementsAre(kPad, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(allowed(SymbolRule::kAnswering), ElementsAre(kEnd, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(allowed(SymbolRule::kAnsweringImage),
              ElementsAre(kEnd, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, kImage));
  EXPECT_THAT(allowed(SymbolRule::kImageCode), ElementsAre(20, 21, 22, 23, 24, 25));
  EXPECT_THAT(allowed(SymbolRule::kImageEnd), ElementsAre(kImageEnd));
  EXPECT_EQ(grammar_.forced(SymbolRule::kPad), kPad);
  EXPECT_EQ(grammar_.forced(SymbolRule::kImageCode), -1);
  for (const int64_t id : {int64_t{16}, kImage, kImageEnd, int64_t{19}, kFirstCode, int64_t{26}}) {
    EXPECT_FALSE(grammar_.is_text(id)) << id;
  }
}

TEST_F(StreamGrammarImageTest, ATranscriptNeverHoldsAPicture) {
  std::vector<float> logits(27, 0.0f);
  for (int64_t id = 16; id < 27; ++id) logits[static_cast<size_t>(id)] = 9.0f;
  logits[12] = 1.0f;
  EXPECT_EQ(grammar_.ChooseHearing(logits, 0.9f), 12);
}

TEST(StreamGrammarWithoutImages, NothingIsDrawn) {
  ModelConfig config = Config();
  config.image = {};
  const StreamGrammar grammar(config);
  StreamState state;
  std::vector<StreamPosition> plan;
  grammar.Type(std::vector<int64_t>{10}, &state, &plan);
  grammar.BeginResponse(false, {.max_images = 4}, &state);
  grammar.Answer(&state, &plan);
  EXPECT_EQ(plan.back().rule, SymbolRule::kAnswering);
  // Symbol 0 is a control symbol here too, not the `<image>` of a model that has none.
  EXPECT_TRUE(grammar.WriteAnswer(kEnd, {}, &state).done);
}

}  // namespace
}  // namespace antiphon
