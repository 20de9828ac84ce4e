// Functions: when the model reads of them, what its owner is told of a call, how a result comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine_impl.h"
#include "tests/engine/engine_bench.h"

namespace antiphon {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ModelConfig ConfigOfFunctions(int64_t max_positions = 512) {
  ModelConfig config = TinyConfig();
  config.max_positions = max_positions;
  config.symbols.vocab_size = 96;
  config.tools = {.tools = 84, .tools_end = 85, .call = 86, .call_end = 87, .result = 88, .result_end = 89};
  return config;
}

// A model that reads of functions, and calls "set lamp" if it may.
struct FunctionsBench : EngineBench {
  explicit FunctionsBench(const ModelConfig& model_config = ConfigOfFunctions())
      : EngineBench(model_config, SmallOptions()), tools(config.tools) {
    model.on_forward = [this](const RaggedBatch& batch) {
      read.insert(read.end(), batch.symbols.begin(), batch.symbols.end());
    };
  }

  void LetItCall(const std::string& text) {
    model.answer_manner = {tools.call};
    for (const int64_t piece : PiecesOf(text)) model.answer_manner.push_back(piece);
    model.answer_manner.push_back(tools.call_end);
  }
  void Ask(Owner& owner, const std::string& text = "hello") {
    read.clear();
    owner.Type(text);
    owner.EndTurn();
    RunAll();
  }
  std::vector<int64_t> PiecesOf(const std::string& text) const { return tokenizer.Encode(text).value(); }
  // What it reads of these functions.
  std::vector<int64_t> Declared(const std::string& signatures) const {
    return Enclosed(tools.tools, signatures.empty() ? std::vector<int64_t>{} : PiecesOf(signatures),
                    tools.tools_end);
  }
  static std::vector<int64_t> Enclosed(int64_t begin, std::vector<int64_t> pieces, int64_t end) {
    pieces.insert(pieces.begin(), begin);
    pieces.push_back(end);
    return pieces;
  }
  // The symbols read since Ask, up to `<assistant>`.
  std::vector<int64_t> Turn() const {
    return {read.begin(), std::find(read.begin(), read.end(), config.symbols.assistant)};
  }
  // The first symbols of a turn: `before`, `<user>`, the declaration, what is said.
  std::vector<int64_t> TurnOf(std::vector<int64_t> before, const std::vector<int64_t>& declaration,
                              const std::string& text = "hello") const {
    before.push_back(config.symbols.user);
    before.insert(before.end(), declaration.begin(), declaration.end());
    for (const int64_t piece : PiecesOf(text)) before.push_back(piece);
    return before;
  }

  const ToolSymbols tools;
  std::vector<int64_t> read;
};

SequenceOptions Written() {
  SequenceOptions options;
  options.speak = false;
  return options;
}

TEST(FunctionsTest, AreReadOnceAtTheBeginningOfATurn) {
  FunctionsBench bench;
  const auto owner = bench.Open();
  owner->Declare("set lamp");
  bench.Ask(*owner);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({bench.config.symbols.bos}, bench.Declared("set lamp")));
  bench.Ask(*owner);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({}, {})) << "they are known";
  owner->Declare("set lamp");  // the same
  bench.Ask(*owner);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({}, {}));
  owner->Declare("say room");
  bench.Ask(*owner);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({}, bench.Declared("say room")));
  owner->Declare("");
  bench.Ask(*owner);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({}, bench.Declared("")));
  bench.Ask(*owner);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({}, {}));
}

TEST(FunctionsTest, ASequenceWithoutReadsNothing) {
  FunctionsBench bench;
  const auto owner = bench.Open();
  owner->Declare("");
  bench.Ask(*owner);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({bench.config.symbols.bos}, {}));
  EXPECT_FALSE(owner->Heard("functions"));
}

TEST(FunctionsTest, PiecesAreCounted) {
  FunctionsBench bench;
  const auto owner = bench.Open();
  owner->Declare("set lamp");
  bench.Ask(*owner);
  const std::string pieces = std::to_string(bench.PiecesOf("set lamp").size());
  EXPECT_TRUE(owner->Heard(" functions 0-" + pieces)) << testing::PrintToString(owner->told());
}

TEST(FunctionsTest, SpeechComesBehindThem) {
  FunctionsBench bench;
  const auto owner = bench.Open();
  owner->Declare("set lamp");
  bench.read.clear();
  owner->Hear({0, 5, 1});
  bench.RunAll();
  std::vector<int64_t> expected = bench.TurnOf({bench.config.symbols.bos}, bench.Declared("set lamp"), "a");
  expected.resize(expected.size() - bench.PiecesOf("a").size());
  // A frame a position: the word is read by the frame behind it.
  expected.insert(expected.end(),
                  {bench.config.symbols.pad, bench.config.symbols.pad, bench.model.HeardPiece(5)});
  EXPECT_EQ(bench.Turn(), expected);
  EXPECT_TRUE(owner->Heard("ended model")) << testing::PrintToString(owner->told());
  EXPECT_TRUE(owner->Heard(" 3+0"));
}

TEST(FunctionsTest, VideoComesBehindThem) {
  FunctionsBench bench;
  const auto owner = bench.Open();
  owner->Declare("set lamp");
  const std::vector<int> codes(9, 1);
  owner->ShowVideo(codes);
  bench.Ask(*owner);
  std::vector<int64_t> before = bench.Declared("set lamp");
  for (const int64_t symbol : bench.loop.grammar().ImageSymbols(codes)) before.push_back(symbol);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({bench.config.symbols.bos}, before));
  EXPECT_TRUE(owner->Heard(" video 1-0 functions 0-")) << testing::PrintToString(owner->told());
}

TEST(FunctionsTest, AChangeWithinATurnWaitsForTheNext) {
  FunctionsBench bench;
  const auto owner = bench.Open();
  owner->Type("hello");
  bench.RunAll();
  owner->Declare("set lamp");
  bench.LetItCall("set lamp");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_THAT(bench.read, Not(Contains(bench.tools.tools)));
  EXPECT_FALSE(owner->Heard("call")) << "it has not read of them";
  bench.Ask(*owner);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({}, bench.Declared("set lamp")));
  EXPECT_TRUE(owner->Heard("2 call"));
}

TEST(FunctionsTest, AClearedTurnTakesThemAlong) {
  FunctionsBench bench;
  const auto owner = bench.Open();
  owner->Declare("set lamp");
  owner->Type("hello");
  bench.RunAll();
  owner->ClearTurn();
  bench.Ask(*owner);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({bench.config.symbols.bos}, bench.Declared("set lamp")));
}

TEST(FunctionsTest, ACallIsToldAsItIsWritten) {
  for (const bool speak : {true, false}) {
    FunctionsBench bench;
    bench.LetItCall("set lamp");
    const auto owner = bench.Open(speak ? SequenceOptions() : Written());
    owner->Declare("set lamp");
    bench.Ask(*owner);
    std::string text;
    const std::string begin = "1 call '";
    for (const std::string& event : owner->told()) {
      if (event.starts_with(begin)) text += event.substr(begin.size(), event.rfind('\'') - begin.size());
    }
    EXPECT_EQ(text, "set lamp");
    EXPECT_EQ(owner->Count("call '' complete"), 1);
    const std::string calls = "+1 calls of " + std::to_string(bench.PiecesOf("set lamp").size());
    EXPECT_THAT(owner->told().back(), AllOf(StartsWith("1 done completed OK 3+"), HasSubstr(calls)))
        << "what is called is not said";
    EXPECT_EQ(owner->Count("audio"), speak ? 4 : 0);
  }
}

TEST(FunctionsTest, WithoutThemNothingIsCalled) {
  FunctionsBench bench;
  bench.LetItCall("set lamp");
  const auto owner = bench.Open();
  bench.Ask(*owner);
  EXPECT_FALSE(owner->Heard("call"));
  owner->Declare("set lamp");
  bench.Ask(*owner);
  EXPECT_EQ(owner->Count("2 call '' complete"), 1);
  owner->Declare("");
  bench.Ask(*owner);
  EXPECT_FALSE(owner->Heard("3 call"));
}

TEST(FunctionsTest, ACallHasAnEnd) {
  FunctionsBench bench;
  bench.model.answer_manner.assign(400, bench.PiecesOf("a").front());
  bench.model.answer_manner.front() = bench.tools.call;
  const auto owner = bench.Open(Written());
  owner->Declare("set lamp");
  bench.Ask(*owner);
  EXPECT_EQ(owner->Count("' complete"), 1);
  EXPECT_THAT(owner->told().back(), HasSubstr("+1 calls of 200 at"));
}

TEST(FunctionsTest, AResultIsAnsweredAndLeavesNoTranscript) {
  FunctionsBench bench;
  const auto owner = bench.Open();
  owner->Declare("set lamp");
  bench.Ask(*owner);
  owner->Take();
  bench.read.clear();
  owner->GiveResult("done");
  owner->EndTurn();
  bench.RunAll();
  std::vector<int64_t> expected =
      FunctionsBench::Enclosed(bench.tools.result, bench.PiecesOf("done"), bench.tools.result_end);
  expected.insert(expected.begin(), bench.config.symbols.user);
  EXPECT_EQ(bench.Turn(), expected);
  const std::string pieces = std::to_string(bench.PiecesOf("done").size());
  EXPECT_EQ(owner->Take().front(), "2 ended commit '' 0+0 functions 1-" + pieces);
}

TEST(FunctionsTest, AResultThatComesDuringTheResponseWaits) {
  FunctionsBench bench;
  const auto owner = bench.Open();
  owner->Type("hello");
  owner->EndTurn();
  while (!owner->Heard("audio")) ASSERT_TRUE(bench.loop.RunOnce());
  owner->GiveResult("done");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_TRUE(owner->Heard("1 done completed"));
  EXPECT_TRUE(owner->Heard("2 ended commit '' 0+0 functions 1-"));
  EXPECT_TRUE(owner->Heard("2 done completed"));
}

TEST(FunctionsTest, ACompleteCallStaysWhenTheAnswerIsCut) {
  FunctionsBench bench;
  bench.LetItCall("set lamp");
  bench.model.answer_frames = 40;
  const auto owner = bench.Open();
  owner->Declare("set lamp");
  owner->Type("hello");
  owner->EndTurn();
  while (!owner->Heard("' complete")) ASSERT_TRUE(bench.loop.RunOnce());
  bench.read.clear();
  owner->CutResponse(0);
  bench.RunAll();
  std::vector<int64_t> expected =
      FunctionsBench::Enclosed(bench.tools.call, bench.PiecesOf("set lamp"), bench.tools.call_end);
  expected.push_back(bench.config.symbols.end);
  // The fake model does not tell its words: its text counts as heard, and stays where it was run.
  EXPECT_TRUE(owner->Heard("1 cut 0 '")) << testing::PrintToString(owner->told());
  ASSERT_GE(bench.read.size(), expected.size());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), bench.read.end() - std::ssize(expected)))
      << testing::PrintToString(bench.read);
}

TEST(FunctionsTest, ACallThatIsNotCompleteIsCutOff) {
  FunctionsBench bench;
  bench.LetItCall("set lamp");
  const auto owner = bench.Open();
  owner->Declare("set lamp");
  owner->Type("hello");
  owner->EndTurn();
  while (!owner->Heard("1 call")) ASSERT_TRUE(bench.loop.RunOnce());
  bench.read.clear();
  owner->CutResponse(0);
  bench.RunAll();
  EXPECT_FALSE(owner->Heard("' complete"));
  EXPECT_THAT(bench.read, Not(Contains(bench.tools.call)));
  EXPECT_THAT(owner->told().back(), HasSubstr("+0 calls of"));
}

TEST(FunctionsTest, AnExportedSessionBringsThemAlong) {
  std::string bytes;
  {
    FunctionsBench bench;
    const auto owner = bench.Open();
    owner->Declare("set lamp");
    bench.Ask(*owner);
    owner->Export();
    bench.RunAll();
    bytes = owner->exported();
  }
  FunctionsBench bench;
  auto snapshot = ReadSnapshot(bytes, {}, bench.config);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  const auto known = bench.Open();
  known->Restore(*snapshot);
  known->Declare("set lamp");
  bench.RunAll();
  bench.Ask(*known);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({}, {}));
  const auto unwanted = bench.Open();
  unwanted->Restore(*snapshot);
  bench.RunAll();
  bench.Ask(*unwanted);
  EXPECT_EQ(bench.Turn(), bench.TurnOf({}, bench.Declared(""))) << "nobody answers calls here";
}

TEST(FunctionsTest, AreRefusedWhenThereIsNoRoomForThem) {
  FunctionsBench bench(ConfigOfFunctions(/*max_positions=*/16));
  const auto owner = bench.Open();
  owner->Declare("set lamp set lamp set lamp set lamp set lamp set lamp set lamp");
  ASSERT_GT(bench.PiecesOf("set lamp set lamp set lamp set lamp set lamp set lamp set lamp").size(), 14u);
  owner->Type("hello");
  owner->EndTurn();
  bench.RunAll();
  EXPECT_EQ(owner->Take(), std::vector<std::string>{"0 refused RESOURCE_EXHAUSTED"})
      << "a turn with a hole is not answered";
  owner->Declare("");
  bench.Ask(*owner, "a");
  EXPECT_TRUE(owner->Heard("ended commit 'a'")) << testing::PrintToString(owner->told());
}

// ---- The engine's own sequences.

EngineModules ModulesOf(const ModelConfig& config) {
  return {std::make_unique<FakeModel>(config), std::make_unique<FakeCodec>(config), TinyTokenizer(config),
          std::make_unique<FakeImageCodec>(config.image)};
}

TEST(FunctionsTest, AModelThatKnowsNoneRefusesThem) {
  const auto engine = StartEngine(ModulesOf(TinyConfig()), EngineBench::SmallOptions(), SystemClock::Get());
  ASSERT_TRUE(engine.ok()) << engine.status().ToString();
  EXPECT_FALSE((*engine)->model().calls_functions);
  const auto sequence = (*engine)->Open({}, [](uint64_t, const SequenceEvent&) {});
  ASSERT_TRUE(sequence.ok());
  EXPECT_EQ((*sequence)->DeclareFunctions("set lamp").code(), StatusCode::kUnimplemented);
  EXPECT_EQ((*sequence)->DeclareFunctions(""), OkStatus());
  EXPECT_EQ((*sequence)->AppendFunctionResult("done").code(), StatusCode::kUnimplemented);
}

TEST(FunctionsTest, WhatCannotBeReadIsRefused) {
  const auto engine =
      StartEngine(ModulesOf(ConfigOfFunctions()), EngineBench::SmallOptions(), SystemClock::Get());
  ASSERT_TRUE(engine.ok()) << engine.status().ToString();
  EXPECT_TRUE((*engine)->model().calls_functions);
  const auto sequence = (*engine)->Open({}, [](uint64_t, const SequenceEvent&) {});
  ASSERT_TRUE(sequence.ok());
  std::string endless;
  for (int i = 0; i < 1100; ++i) endless += "set ";
  for (const std::string& text : {std::string("\xff"), endless}) {
    EXPECT_EQ((*sequence)->DeclareFunctions(text).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ((*sequence)->AppendFunctionResult(text).code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ((*sequence)->AppendFunctionResult("").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ((*sequence)->DeclareFunctions("set lamp"), OkStatus());
  EXPECT_EQ((*sequence)->AppendFunctionResult("done"), OkStatus());
}

}  // namespace
}  // namespace antiphon
