// Calls of functions in a conversation: what the client is told, and how its outputs reach the model.
#include <gtest/gtest.h>

#include <string>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using server_event::FunctionCallArgumentsDelta;
using server_event::FunctionCallDone;
using server_event::FunctionCallStarted;
using State = ConversationState;

constexpr char kTimer[] = R"({"properties":{"minutes":{"type":"integer"}},"required":["minutes"]})";

ModelDescription TestModelOfFunctions() {
  ModelDescription model = TestModel();
  model.calls_functions = true;
  return model;
}

class FunctionCallsTest : public ConversationFixture {
 protected:
  explicit FunctionCallsTest(const ModelDescription& model = TestModelOfFunctions())
      : ConversationFixture(model) {}

  void Declare(const std::vector<Function>& functions = {{"set_timer", "", kTimer}, {"stop", "", ""}}) {
    Client(client_event::SessionUpdate{{.functions = functions}});
  }
  void EngineCalls(const std::string& text, bool complete = true, uint64_t turn = 1) {
    Engine(turn, ResponseCall{text, complete, clock_.Now()});
  }
  void Output(const std::string& call_id, const std::string& output = R"({"ok":true})", bool respond = true) {
    Client(client_event::FunctionCallOutput{call_id, output, respond}, "output-event");
  }
  // An answer that has called, and is over.
  void Call(const std::string& text = R"(set_timer {"minutes":5})") {
    BeginAnswer();
    EngineCalls(text);
    EngineIsDone();
  }
};

class NoFunctionsTest : public FunctionCallsTest {
 protected:
  NoFunctionsTest() : FunctionCallsTest(TestModel()) {}
};

TEST_F(FunctionCallsTest, TheModelIsToldOfThem) {
  EXPECT_EQ(record_->declared.back(), "");
  Declare();
  EXPECT_EQ(record_->declared.back(), "set_timer minutes , stop");
  EXPECT_EQ(One<server_event::SessionUpdated>().config.functions.size(), 2u);
  Declare({});
  EXPECT_EQ(record_->declared.back(), "");
}

TEST_F(FunctionCallsTest, AMistakeInThemIsNamed) {
  Declare({{"set_timer", "", "{"}});
  ExpectError(StatusCode::kInvalidArgument, "session_update.config.functions[0].parameters", "no JSON");
  EXPECT_EQ(record_->declared.back(), "");
}

TEST_F(FunctionCallsTest, ACallIsToldAsItIsWritten) {
  Declare();
  BeginAnswer();
  EngineCalls("set_", false);
  EXPECT_TRUE(All<FunctionCallStarted>().empty()) << "that may be the beginning of any name";
  EngineCalls("timer", false);
  EngineCalls(" {", false);
  const auto started = One<FunctionCallStarted>();
  EXPECT_EQ(started.response_id, "response-1");
  EXPECT_EQ(started.call_id, "call-1");
  EXPECT_EQ(started.name, "set_timer");
  EngineCalls("\"minutes\":", false);
  EngineCalls("5}", false);
  EXPECT_TRUE(All<FunctionCallDone>().empty());
  EngineCalls("", true);
  std::string arguments;
  for (const auto& delta : All<FunctionCallArgumentsDelta>()) {
    EXPECT_EQ(delta.response_id, "response-1");
    EXPECT_EQ(delta.call_id, "call-1");
    arguments += delta.arguments;
  }
  EXPECT_EQ(arguments, R"({"minutes":5})");
  EXPECT_EQ(All<FunctionCallArgumentsDelta>().size(), 3u);
  const auto done = One<FunctionCallDone>();
  EXPECT_EQ(done.response_id, "response-1");
  EXPECT_EQ(done.call_id, "call-1");
  EXPECT_EQ(done.name, "set_timer");
  EXPECT_EQ(done.arguments, arguments);
  EXPECT_EQ(done.fault, "");
}

TEST_F(FunctionCallsTest, WhatIsWrongWithACallIsTold) {
  Declare();
  BeginAnswer();
  EngineCalls(R"(set_timer {"minutes":"five"})");
  EXPECT_NE(One<FunctionCallDone>().fault.find("must be \"integer\""), std::string::npos);
  EngineIsDone();
  events_.clear();
  Client(client_event::TextAppend{"again"});
  Client(client_event::Commit{});
  EngineAnswers(2);
  EngineCalls("order_pizza {\"minutes\":5", true, 2);
  const auto done = One<FunctionCallDone>();
  EXPECT_EQ(done.call_id, "call-2");
  EXPECT_EQ(done.name, "order_pizza");
  EXPECT_EQ(done.arguments, "{\"minutes\":5");
  EXPECT_NE(done.fault, "");
}

TEST_F(FunctionCallsTest, ANameAloneHasNoArguments) {
  Declare();
  BeginAnswer();
  EngineCalls("stop", false);
  EngineCalls("");
  EXPECT_EQ(One<FunctionCallStarted>().name, "stop");
  EXPECT_EQ(One<FunctionCallArgumentsDelta>().arguments, "{}");
  const auto done = One<FunctionCallDone>();
  EXPECT_EQ(done.name, "stop");
  EXPECT_EQ(done.arguments, "{}");
  EXPECT_EQ(done.fault, "");
}

TEST_F(FunctionCallsTest, ASpaceMayBeMissing) {
  Declare();
  BeginAnswer();
  EngineCalls(R"(set_timer{"minutes":5})");
  const auto done = One<FunctionCallDone>();
  EXPECT_EQ(done.name, "set_timer");
  EXPECT_EQ(done.arguments, R"({"minutes":5})");
}

TEST_F(FunctionCallsTest, ACallOfNothingIsOne) {
  Declare();
  BeginAnswer();
  EngineCalls("");
  const auto done = One<FunctionCallDone>();
  EXPECT_EQ(done.name, "");
  EXPECT_EQ(done.arguments, "{}");
  EXPECT_NE(done.fault, "");
}

// The functions of a response are those that were declared when it began.
TEST_F(FunctionCallsTest, AChangeDuringAResponseIsForTheNext) {
  Declare();
  BeginAnswer();
  Declare({});
  EngineCalls(R"(set_timer {"minutes":5})");
  EXPECT_EQ(One<FunctionCallDone>().fault, "");
}

TEST_F(FunctionCallsTest, AnOutputIsAnsweredAtOnce) {
  Declare();
  Call();
  ASSERT_EQ(state(), State::kWaiting);
  Output("call-1", R"({"until":"10:05"})");
  EXPECT_EQ(record_->results, std::vector<std::string>{R"({"until":"10:05"})"});
  ASSERT_EQ(record_->ends.size(), 2u);
  EXPECT_EQ(record_->ends[1], TurnEndCause::kCommit);
  EXPECT_EQ(state(), State::kEnding);
  events_.clear();
  EngineAnswers(2, TurnEndCause::kCommit);
  EXPECT_EQ(One<server_event::ResponseStarted>().response_id, "response-2");
  EngineIsDone(2);
  const auto usage = One<server_event::ResponseDone>().usage;
  EXPECT_EQ(usage.input_function_outputs, 1);
  EXPECT_EQ(usage.input_function_pieces, 5);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(FunctionCallsTest, AnOutputWaitsForTheEndOfTheResponse) {
  Declare();
  BeginAnswer();
  EngineCalls(R"(set_timer {"minutes":5})");
  Output("call-1");
  EXPECT_TRUE(record_->results.empty()) << "the answer is still being spoken";
  EngineSpeaks();
  EngineIsDone();
  EXPECT_EQ(record_->results.size(), 1u);
  EXPECT_EQ(state(), State::kEnding);
  EXPECT_TRUE(conversation_->response_due());
  EngineAnswers(2, TurnEndCause::kCommit);
  EXPECT_EQ(state(), State::kResponding);
}

TEST_F(FunctionCallsTest, AClientThatHasHalfClosedStillGetsTheReply) {
  Declare();
  BeginAnswer();
  EngineCalls(R"(set_timer {"minutes":5})");
  Output("call-1");
  conversation_->OnHalfClose();
  EngineIsDone();
  EXPECT_FALSE(conversation_->finished());
  EngineAnswers(2, TurnEndCause::kCommit);
  EngineIsDone(2);
  EXPECT_TRUE(conversation_->finished());
}

TEST_F(FunctionCallsTest, WithoutRespondTheTurnStaysOpen) {
  Declare();
  Call();
  Output("call-1", "ok", false);
  EXPECT_EQ(record_->results.size(), 1u);
  EXPECT_EQ(state(), State::kTyping);
  Client(client_event::TextAppend{"and now"});
  Client(client_event::Commit{});
  EngineAnswers(2, TurnEndCause::kCommit);
  EXPECT_EQ(state(), State::kResponding);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(FunctionCallsTest, AnOutputMayComeMuchLater) {
  Declare();
  Call();
  Client(client_event::TextAppend{"what time is it"});
  Client(client_event::Commit{});
  EngineAnswers(2);
  EngineIsDone(2);
  Output("call-1");
  EXPECT_EQ(record_->results.size(), 1u);
  EXPECT_EQ(state(), State::kEnding);
}

TEST_F(FunctionCallsTest, WhileTheUserSpeaksAnOutputIsAnsweredWithWhatIsSaid) {
  Declare();
  Client(client_event::SessionUpdate{{.interruption = {{1, 0}}}});
  Call();
  Speak(600);
  ASSERT_EQ(state(), State::kHearing);
  Output("call-1");
  EXPECT_EQ(record_->results.size(), 1u);
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(record_->ends.size(), 1u) << "nobody cuts the user off";
  EngineAnswers(2);
  EngineIsDone(2);
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(FunctionCallsTest, AfterANoiseAnOutputIsAnsweredByItself) {
  Declare();
  Client(client_event::SessionUpdate{{.interruption = {{1, 0}}}});
  Call();
  Speak(600);
  Output("call-1");
  ASSERT_EQ(state(), State::kHearing);
  Pause(2500);  // no words came of it
  EXPECT_EQ(state(), State::kEnding);
  EXPECT_EQ(record_->ends.size(), 2u);
}

TEST_F(FunctionCallsTest, AnOutputThatComesTooLateForATurnIsOfTheNext) {
  Declare();
  Client(client_event::SessionUpdate{{.interruption = {{1, 0}}}});
  Call();
  Speak(600);
  Output("call-1");
  ASSERT_EQ(state(), State::kHearing);
  results_answered_ = 1;  // the model has ended the turn before it came
  EngineAnswers(2);
  EngineIsDone(2);
  EXPECT_EQ(state(), State::kEnding) << "it is answered now";
  results_answered_ = 0;
  EngineAnswers(3, TurnEndCause::kCommit);
  events_.clear();
  EngineIsDone(3);
  EXPECT_EQ(One<server_event::ResponseDone>().usage.input_function_outputs, 1);
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(FunctionCallsTest, WhileAVoiceIsJudgedAnOutputWaits) {
  Declare();
  BeginAnswer();
  EngineCalls(R"(set_timer {"minutes":5})");
  for (int i = 0; i < 30; ++i) EngineSpeaks();
  EngineIsDone();
  Pause(200);
  Speak(200);
  ASSERT_EQ(All<server_event::PlaybackPaused>().size(), 1u);
  Output("call-1");
  EXPECT_TRUE(record_->results.empty());
  Pause(700);  // a cough
  EXPECT_EQ(All<server_event::PlaybackResumed>().size(), 1u);
  EXPECT_EQ(record_->results.size(), 1u);
  EXPECT_EQ(state(), State::kEnding);
}

TEST_F(FunctionCallsTest, AReplyIsPlayedBehindWhatIsStillPlayed) {
  Declare();
  BeginAnswer();
  EngineCalls(R"(set_timer {"minutes":5})");
  for (int i = 0; i < 25; ++i) EngineSpeaks();  // 2 s
  EngineIsDone();
  Output("call-1");
  EngineAnswers(2, TurnEndCause::kCommit);
  Advance(300);  // until the first of it is made
  for (int i = 0; i < 25; ++i) EngineSpeaks(2);
  Advance(2140);
  Client(client_event::Cancel{});
  ASSERT_EQ(record_->cuts.size(), 1u);
  EXPECT_EQ(record_->cuts[0], 5) << "440 ms of it";
}

TEST_F(FunctionCallsTest, SeveralOutputsGetOneAnswer) {
  Declare();
  Call();
  events_.clear();
  Client(client_event::TextAppend{"again"});
  Client(client_event::Commit{});
  EngineAnswers(2);
  EngineCalls(R"(set_timer {"minutes":6})", true, 2);
  Output("call-2", "two");
  Output("call-1", "one");
  EngineIsDone(2);
  EXPECT_EQ(record_->results, (std::vector<std::string>{"two", "one"}));
  EXPECT_EQ(record_->ends.size(), 3u);
  EngineAnswers(3, TurnEndCause::kCommit);
  EngineIsDone(3);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(FunctionCallsTest, ACallIsAnsweredOnce) {
  Declare();
  Call();
  Output("call-1");
  EngineAnswers(2, TurnEndCause::kCommit);
  EngineIsDone(2);
  Output("call-1");
  ExpectError(StatusCode::kFailedPrecondition, "function_call_output.call_id", "answered");
  EXPECT_EQ(record_->results.size(), 1u);
}

TEST_F(FunctionCallsTest, AHeldOutputCountsAsAnAnswer) {
  Declare();
  BeginAnswer();
  EngineCalls(R"(set_timer {"minutes":5})");
  Output("call-1");
  Output("call-1");
  ExpectError(StatusCode::kFailedPrecondition, "function_call_output.call_id", "answered");
}

TEST_F(FunctionCallsTest, UnknownCallsAreRefused) {
  Declare();
  Call();
  for (const std::string& id : {std::string(), std::string("call-2"), std::string("call-0"),
                                std::string("call-1x"), std::string("call--1"), std::string("x"),
                                std::string("call-99999999999999999999"), std::string(5000, 'c')}) {
    Output(id);
    ExpectError(StatusCode::kInvalidArgument, "function_call_output.call_id", "no call of this session");
  }
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(FunctionCallsTest, OutputsAreBounded) {
  Declare();
  Call();
  for (const size_t size : {0, 4001}) {
    Output("call-1", std::string(size, 'x'));
    ExpectError(StatusCode::kInvalidArgument, "function_call_output.output", "1 to 4000");
  }
  Output("call-1", std::string(4000, 'x'));  // the call is still open
  EXPECT_EQ(record_->results.size(), 1u);
}

TEST_F(FunctionCallsTest, AnOutputThatCannotBeReadMayBeSentAgain) {
  Declare();
  Call();
  record_->append_result = InvalidArgument("the text has 1100 pieces");
  Output("call-1");
  ExpectError(StatusCode::kInvalidArgument, "function_call_output.output", "call-1: the text has 1100");
  EXPECT_EQ(state(), State::kWaiting);
  record_->append_result = OkStatus();
  Output("call-1");
  EXPECT_EQ(state(), State::kEnding);
}

TEST_F(FunctionCallsTest, AHeldOutputThatCannotBeReadIsToldLater) {
  Declare();
  BeginAnswer();
  EngineCalls(R"(set_timer {"minutes":5})");
  Output("call-1");
  record_->append_result = InvalidArgument("the text has 1100 pieces");
  EngineIsDone();
  ExpectError(StatusCode::kInvalidArgument, "function_call_output.output", "call-1: ");
  EXPECT_EQ(state(), State::kWaiting);
  record_->append_result = OkStatus();
  Output("call-1");
  EXPECT_EQ(state(), State::kEnding);
}

TEST_F(FunctionCallsTest, ClearForgetsAnOutputAndItsCallIsOpenAgain) {
  Declare();
  Call();
  Output("call-1", "ok", false);
  Client(client_event::Clear{});
  EXPECT_EQ(state(), State::kWaiting);
  Engine(2, TurnCleared{});
  Output("call-1", "ok");
  EXPECT_EQ(record_->results.size(), 2u);
  EXPECT_EQ(state(), State::kEnding);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(FunctionCallsTest, ATurnTheModelCannotTakeIsTheOutputsFault) {
  Declare();
  Call();
  Output("call-1", "ok", false);
  Engine(2, InputRefused{ResourceExhausted("the conversation is full")});
  ExpectError(StatusCode::kResourceExhausted, "function_call_output.output", "the turn is cleared");
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(FunctionCallsTest, ACallThatIsCutOffIsNotTold) {
  Declare();
  BeginAnswer();
  EngineCalls("set_timer {", false);
  Client(client_event::Cancel{});
  EngineCalls("\"minutes\"", false);
  EngineIsDone(1, ResponseEnd::kCancelled);
  EXPECT_EQ(All<FunctionCallArgumentsDelta>().size(), 1u) << "nothing more";
  EXPECT_TRUE(All<FunctionCallDone>().empty());
  Output("call-1");
  ExpectError(StatusCode::kFailedPrecondition, "function_call_output.call_id", "not complete");
  // The next call is another one.
  Client(client_event::TextAppend{"again"});
  Client(client_event::Commit{});
  EngineAnswers(2);
  EngineCalls(R"(set_timer {"minutes":5})", true, 2);
  EXPECT_EQ(One<FunctionCallDone>().call_id, "call-2");
}

// The model remembers it, so the client has to know.
TEST_F(FunctionCallsTest, ACallThatWasCompleteWhenTheCancelCameIsTold) {
  Declare();
  BeginAnswer();
  EngineCalls("set_timer {", false);
  Client(client_event::Cancel{});
  EngineCalls("\"minutes\":5}", false);
  EngineCalls("", true);
  std::string arguments;
  for (const auto& delta : All<FunctionCallArgumentsDelta>()) arguments += delta.arguments;
  EXPECT_EQ(arguments, R"({"minutes":5})");
  EXPECT_EQ(One<FunctionCallDone>().arguments, arguments);
  EngineIsDone(1, ResponseEnd::kCancelled);
  Output("call-1");
  EXPECT_EQ(state(), State::kEnding);
}

TEST_F(FunctionCallsTest, UsageCountsCalls) {
  Declare();
  BeginAnswer();
  Engine(1, ResponseDone{.end = ResponseEnd::kCompleted, .error = {}, .calls = 1, .call_pieces = 9});
  const auto usage = One<server_event::ResponseDone>().usage;
  EXPECT_EQ(usage.output_function_calls, 1);
  EXPECT_EQ(usage.output_function_pieces, 9);
}

TEST_F(FunctionCallsTest, OnlyTheNewestCallsWait) {
  Declare();
  const uint64_t calls = FunctionCalls::kMostOpen + 1;
  for (uint64_t turn = 1; turn <= calls; ++turn) {
    Client(client_event::TextAppend{"again"});
    Client(client_event::Commit{});
    EngineAnswers(turn, TurnEndCause::kCommit);
    EngineCalls("stop {}", true, turn);
    EngineIsDone(turn);
  }
  Output("call-1");
  ExpectError(StatusCode::kFailedPrecondition, "function_call_output.call_id", "64 newer ones");
  Output("call-2");
  EXPECT_EQ(record_->results.size(), 1u);
}

TEST_F(NoFunctionsTest, AModelThatCallsNoneTakesNone) {
  Declare();
  ExpectError(StatusCode::kUnimplemented, "session_update.config.functions", "calls none");
  Output("call-1");
  ExpectError(StatusCode::kUnimplemented, "function_call_output", "no functions");
  EXPECT_TRUE(record_->declared.empty());
}

}  // namespace
}  // namespace antiphon
