// Functions in the token stream: their declaration, a call in an answer, a result.
#include <gtest/gtest.h>

#include "model/stream_grammar.h"
#include "tests/model/stream_grammar_fixture.h"

namespace antiphon {
namespace {

constexpr int64_t kPad = 0, kBos = 2, kEnd = 3, kUser = 4, kAssistant = 5, kPiece = 9;
constexpr int64_t kImage = 16, kImageEnd = 17, kFirstCode = 18;  // two codes
constexpr int64_t kTools = 20, kToolsEnd = 21, kCall = 22, kCallEnd = 23, kResult = 24, kResultEnd = 25;
const std::vector<int64_t> kFrame = {21, 22};

ModelConfig Config() {
  ModelConfig config;
  config.symbols = {.vocab_size = 28,
                    .text_pieces = 16,
                    .pad = kPad,
                    .unk = 1,
                    .bos = kBos,
                    .end = kEnd,
                    .user = kUser,
                    .assistant = kAssistant};
  config.codebook_sizes = {40, 30};
  config.speech_lead = 1;
  config.image = {
      .side = 16, .grid = 1, .codebook_size = 2, .begin = kImage, .end = kImageEnd, .first_code = kFirstCode};
  config.tools = {.tools = kTools,
                  .tools_end = kToolsEnd,
                  .call = kCall,
                  .call_end = kCallEnd,
                  .result = kResult,
                  .result_end = kResultEnd};
  return config;
}

std::vector<int64_t> SymbolsOf(const std::vector<StreamPosition>& positions) {
  std::vector<int64_t> symbols;
  for (const StreamPosition& position : positions) symbols.push_back(position.symbol);
  return symbols;
}

class StreamGrammarToolsTest : public StreamGrammarFixture {
 protected:
  StreamGrammarToolsTest() : StreamGrammarFixture(Config(), {11, 12}) {}

  bool Allows(const StreamPosition& position, int64_t symbol) const {
    return grammar_.allowed(position.rule)[static_cast<size_t>(symbol)] != 0;
  }
  // Runs one position, which must be allowed to write `symbol`.
  AnswerOutcome Step(int64_t symbol) {
    run_.push_back(Answer());
    EXPECT_TRUE(Allows(run_.back(), symbol)) << symbol;
    return grammar_.WriteAnswer(symbol, run_.back().speaks ? kFrame : std::vector<int64_t>{}, &state_);
  }
  void Steps(const std::vector<int64_t>& symbols) {
    for (const int64_t symbol : symbols) Step(symbol);
  }
  void Begin(bool speak, ResponseLimits limits = {.may_call = true}) {
    BeginResponse(speak, limits);
    run_.clear();
  }

  std::vector<StreamPosition> run_;  // of the response
};

TEST_F(StreamGrammarToolsTest, ADeclarationStandsAtTheBeginningOfATurn) {
  const std::vector<int64_t> declaration = grammar_.DeclarationSymbols(std::vector<int64_t>{7, 8});
  EXPECT_EQ(declaration, (std::vector<int64_t>{kTools, 7, 8, kToolsEnd}));
  EXPECT_EQ(SymbolsOf(Type(declaration)), (std::vector<int64_t>{kBos, kUser, kTools, 7, 8, kToolsEnd}));
  EXPECT_TRUE(state_.in_turn());
  // Speech follows as it would follow a picture.
  const std::vector<StreamPosition> heard = Hear();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].symbol, kPad);
  EXPECT_EQ(heard[0].heard, heard_);
}

TEST_F(StreamGrammarToolsTest, NoFunctionsAreDeclaredAsAnEmptyList) {
  EXPECT_EQ(grammar_.DeclarationSymbols({}), (std::vector<int64_t>{kTools, kToolsEnd}));
}

TEST_F(StreamGrammarToolsTest, TheNewestDeclarationIsFound) {
  std::vector<StreamPosition> positions = Type({kPiece});
  EXPECT_EQ(grammar_.DeclaredIn(positions), std::nullopt);
  EXPECT_EQ(grammar_.DeclaredIn({}), std::nullopt);
  const auto append = [&](const std::vector<int64_t>& symbols) {
    for (const int64_t symbol : symbols) positions.push_back({.symbol = symbol});
  };
  append(grammar_.DeclarationSymbols(std::vector<int64_t>{7}));
  append({kPiece, kUser});
  EXPECT_EQ(grammar_.DeclaredIn(positions), std::vector<int64_t>{7});
  append(grammar_.DeclarationSymbols(std::vector<int64_t>{8, 9}));
  append({kPiece});
  EXPECT_EQ(grammar_.DeclaredIn(positions), (std::vector<int64_t>{8, 9}));
  append(grammar_.DeclarationSymbols({}));
  EXPECT_EQ(grammar_.DeclaredIn(positions), std::vector<int64_t>{});
}

TEST_F(StreamGrammarToolsTest, AResultIsATurn) {
  const std::vector<int64_t> result = grammar_.ResultSymbols(std::vector<int64_t>{7});
  EXPECT_EQ(SymbolsOf(Type(result)), (std::vector<int64_t>{kBos, kUser, kResult, 7, kResultEnd}));
  grammar_.BeginResponse(/*speak=*/true, {}, &state_);
  EXPECT_EQ(Answer().symbol, kAssistant);
}

TEST_F(StreamGrammarToolsTest, ACallFollowsTheTextWhileTheVoiceGoesOn) {
  Begin(/*speak=*/true);
  EXPECT_EQ(Step(kPiece).piece, kPiece);
  const AnswerOutcome begun = Step(kCall);
  EXPECT_TRUE(begun.call_begun);
  EXPECT_TRUE(begun.has_frame);
  EXPECT_EQ(begun.piece, -1);
  const AnswerOutcome piece = Step(7);
  EXPECT_EQ(piece.call_piece, 7);
  EXPECT_EQ(piece.piece, -1) << "it is not said";
  EXPECT_TRUE(piece.has_frame);
  const AnswerOutcome complete = Step(kCallEnd);
  EXPECT_TRUE(complete.call_complete);
  EXPECT_FALSE(complete.text_over);
  EXPECT_EQ(state_.pieces, 1);
  // `<end>` is all that may follow.
  EXPECT_EQ(grammar_.forced(SymbolRule::kEnd), kEnd);
  const AnswerOutcome end = Step(kEnd);
  EXPECT_EQ(run_.back().rule, SymbolRule::kEnd);
  EXPECT_EQ(run_.back().symbol, kCallEnd);
  EXPECT_TRUE(end.text_over);
  EXPECT_FALSE(end.done) << "the voice is not over";
  EXPECT_EQ(grammar_.forced(Answer().rule), kPad);
  EXPECT_EQ(SymbolsOf(run_), (std::vector<int64_t>{kAssistant, kPiece, kCall, 7, kCallEnd}));
}

TEST_F(StreamGrammarToolsTest, WithinACallThereIsNothingButTextAndItsEnd) {
  Begin(/*speak=*/false);
  Step(kCall);
  const StreamPosition position = Answer();
  EXPECT_EQ(position.rule, SymbolRule::kCallPiece);
  EXPECT_EQ(grammar_.forced(position.rule), -1);
  for (const int64_t symbol :
       {kPad, kEnd, kAssistant, kImage, kFirstCode, kTools, kToolsEnd, kCall, kResult, kResultEnd}) {
    EXPECT_FALSE(Allows(position, symbol)) << symbol;
  }
  for (const int64_t symbol : {kPiece, kCallEnd}) EXPECT_TRUE(Allows(position, symbol)) << symbol;
}

TEST_F(StreamGrammarToolsTest, NobodyCallsWhatIsNotDeclared) {
  Begin(/*speak=*/false, {});
  EXPECT_FALSE(Allows(Answer(), kCall));
}

TEST_F(StreamGrammarToolsTest, NothingElseIsEverWritten) {
  const std::vector<StreamPosition> heard = Hear();
  for (int64_t symbol = kTools; symbol <= kResultEnd; ++symbol) {
    EXPECT_FALSE(Allows(heard.back(), symbol)) << symbol;
    EXPECT_FALSE(grammar_.is_text(symbol));
  }
  grammar_.WriteHearing(kPad, &state_);
  Begin(/*speak=*/false);
  const StreamPosition position = Answer();
  for (const int64_t symbol : {kTools, kToolsEnd, kCallEnd, kResult, kResultEnd}) {
    EXPECT_FALSE(Allows(position, symbol)) << symbol;
  }
  EXPECT_TRUE(Allows(position, kCall));
}

TEST_F(StreamGrammarToolsTest, ALongCallIsClosed) {
  Begin(/*speak=*/false, {.may_call = true, .max_call_pieces = 2});
  Steps({kCall, 7, 8});
  EXPECT_EQ(grammar_.forced(SymbolRule::kCallEnd), kCallEnd);
  EXPECT_TRUE(Step(kCallEnd).call_complete);
  EXPECT_EQ(run_.back().rule, SymbolRule::kCallEnd);
}

TEST_F(StreamGrammarToolsTest, TheLimitOfTheTextDoesNotCountACall) {
  Begin(/*speak=*/false, {.max_pieces = 1, .may_call = true});
  Steps({kPiece, kCall, 7, 8, kCallEnd, kEnd});
  EXPECT_FALSE(state_.incomplete);
}

TEST_F(StreamGrammarToolsTest, ACallThatIsGivenUpIsClosedByTheNextTurn) {
  Begin(/*speak=*/true);
  Steps({kCall, 7, 8});
  grammar_.CancelResponse(&state_);
  EXPECT_EQ(SymbolsOf(Type({kPiece})), (std::vector<int64_t>{kCallEnd, kUser, kPiece}));
}

TEST_F(StreamGrammarToolsTest, ACallThatNobodyHasReadIsForgotten) {
  Begin(/*speak=*/true);
  Step(kCall);
  grammar_.CancelResponse(&state_);
  EXPECT_EQ(SymbolsOf(Type({kPiece})), (std::vector<int64_t>{kUser, kPiece}));
}

TEST_F(StreamGrammarToolsTest, ACompleteCallThatIsStillToBeReadIsClosedToo) {
  Begin(/*speak=*/true);
  Steps({kCall, 7, kCallEnd});
  grammar_.CancelResponse(&state_);
  EXPECT_EQ(SymbolsOf(Type({kPiece})), (std::vector<int64_t>{kCallEnd, kUser, kPiece}));
}

// What the context has of a response of "9 9", whose call is complete, when nothing or one frame was heard.
TEST_F(StreamGrammarToolsTest, ACompleteCallStaysInAResponseThatIsCut) {
  Begin(/*speak=*/true);
  Steps({kPiece, kPiece, kCall, 7, kCallEnd, kEnd});
  const CutAnswer unheard = grammar_.Cut(run_, state_, /*pieces=*/0, /*frames=*/0);
  EXPECT_EQ(unheard.kept, 1);
  EXPECT_EQ(SymbolsOf(unheard.rerun), (std::vector<int64_t>{kCall, 7, kCallEnd, kEnd}));
  const CutAnswer heard = grammar_.Cut(run_, state_, /*pieces=*/1, /*frames=*/1);
  std::vector<int64_t> symbols = SymbolsOf(run_);
  symbols.resize(static_cast<size_t>(heard.kept));
  for (const int64_t symbol : SymbolsOf(heard.rerun)) symbols.push_back(symbol);
  EXPECT_EQ(symbols, (std::vector<int64_t>{kAssistant, kPiece, kCall, 7, kCallEnd, kEnd}));
}

TEST_F(StreamGrammarToolsTest, TheEndOfACallThatIsStillToBeReadStaysToo) {
  Begin(/*speak=*/true);
  Steps({kPiece, kCall, 7, kCallEnd});
  const CutAnswer cut = grammar_.Cut(run_, state_, /*pieces=*/0, /*frames=*/0);
  EXPECT_EQ(SymbolsOf(cut.rerun), (std::vector<int64_t>{kCall, 7, kCallEnd, kEnd}));
}

TEST_F(StreamGrammarToolsTest, ACallThatIsNotCompleteLeavesACutResponse) {
  Begin(/*speak=*/true);
  Steps({kPiece, kCall, 7});
  const CutAnswer cut = grammar_.Cut(run_, state_, /*pieces=*/0, /*frames=*/0);
  EXPECT_EQ(cut.kept, 0);
  EXPECT_TRUE(cut.rerun.empty()) << "nothing of it stays";
}

TEST(StreamGrammarWithoutToolsTest, KnowsNone) {
  ModelConfig config = Config();
  config.tools = {};
  const StreamGrammar grammar(config);
  StreamState state;
  std::vector<StreamPosition> plan;
  grammar.Type(std::vector<int64_t>{10}, &state, &plan);
  EXPECT_EQ(grammar.DeclaredIn(plan), std::nullopt);
  grammar.BeginResponse(/*speak=*/false, {.may_call = true}, &state);
  grammar.Answer(&state, &plan);
  EXPECT_EQ(plan.back().rule, SymbolRule::kAnsweringImage);
  EXPECT_EQ(grammar.allowed(plan.back().rule)[static_cast<size_t>(kCall)], 0);
}

}  // namespace
}  // namespace antiphon
