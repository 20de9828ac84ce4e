// Functions from the client's side: the library, Ask and the command line, against a scripted server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "antiphon/ask.h"
#include "client/loudspeaker.h"
#include "tests/client/client_fixture.h"

namespace antiphon::client {
namespace {

using nlohmann::json;
using testing::Call;
using ::testing::HasSubstr;
using testing::ScriptedServer;

constexpr char kArguments[] = R"({"minutes":5})";
constexpr int kRate = 16000;

// Calls set_timer, speaks on when it has the output, and then says what that was. `wait`: for an output.
testing::Script CallingScript(bool wait = true) {
  return [wait](Call& call) {
    call.CreateSession();
    if (!call.ReadUntil(v1::ClientEvent::kCommit)) return grpc::Status::OK;
    call.EndTurn("set a timer", v1::TurnEnded::CAUSE_COMMIT);
    call.StartResponse();
    call.SendText("okay");
    call.CallFunction("set_timer", kArguments);
    v1::ClientEvent event;
    if (wait && !call.ReadUntil(v1::ClientEvent::kFunctionCallOutput, &event)) return grpc::Status::OK;
    call.SendPcm(std::vector<int16_t>(3200, 500));
    call.SendDone();
    if (wait) {
      call.EndTurn("", v1::TurnEnded::CAUSE_COMMIT);
      call.StartResponse();
      call.SendText("it ");
      call.SendText("says " + event.function_call_output().output());
      call.SendPcm(std::vector<int16_t>(1600, 500));
      call.SendDone();
    }
    while (call.Read(&event)) {
    }
    return grpc::Status::OK;
  };
}

std::unique_ptr<Conversation> OpenAt16kHz(const ScriptedServer& server) {
  ConversationOptions options;
  options.output_audio = {AudioEncoding::kPcm16, kRate};
  return OpenOn(server, options);
}

TEST(FunctionsTest, ASettingTravelsBothWays) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  ConversationOptions options;
  options.settings.functions =
      std::vector<Function>{{"set_timer", "Sets a timer", R"({"properties":{}})"}, {"stop"}};
  {
    const auto conversation = OpenOn(server, options);
    const auto& told = conversation->session().settings.functions;
    ASSERT_TRUE(told);
    ASSERT_EQ(told->size(), 2u);
    EXPECT_EQ((*told)[0].name, "set_timer");
    EXPECT_EQ((*told)[0].description, "Sets a timer");
    EXPECT_EQ((*told)[0].parameters, R"({"properties":{}})");
    EXPECT_EQ((*told)[1].name, "stop");
    ASSERT_TRUE(conversation->Update({.functions = std::vector<Function>{}}).ok());
    ASSERT_TRUE(conversation->Update({.max_response_seconds = 9}).ok());
    ASSERT_TRUE(conversation->FinishInput().ok());
    while (!std::holds_alternative<Closed>(conversation->NextEvent(std::chrono::seconds(5))->body)) {
    }
  }
  ASSERT_TRUE(server.WaitForCalls(1));
  const auto received = server.received();
  ASSERT_EQ(received.size(), 3u);
  EXPECT_TRUE(received[1].event.session_update().config().has_functions()) << "set, of none";
  EXPECT_EQ(received[1].event.session_update().config().functions().functions_size(), 0);
  EXPECT_FALSE(received[2].event.session_update().config().has_functions()) << "not set";
}

TEST(FunctionsTest, CallsAreEventsAndOutputsMessages) {
  const ScriptedServer server(AfterCreation([](Call& call) {
    call.StartResponse();
    call.CallFunction("set_timer", kArguments);
    v1::ClientEvent event;
    call.ReadUntil(v1::ClientEvent::kFunctionCallOutput, &event);
    EXPECT_EQ(event.function_call_output().call_id(), "call-1");
    EXPECT_EQ(event.function_call_output().output(), "ok");
    EXPECT_TRUE(event.function_call_output().respond());
    call.ReadUntil(v1::ClientEvent::kFunctionCallOutput, &event);
    EXPECT_TRUE(event.function_call_output().has_respond());
    EXPECT_FALSE(event.function_call_output().respond());
    call.SendDone();
  }));
  const auto conversation = OpenOn(server);
  Next<ResponseStarted>(*conversation);
  const auto started = Next<FunctionCallStarted>(*conversation);
  EXPECT_EQ(started.response_id, "response-1");
  EXPECT_EQ(started.call_id, "call-1");
  EXPECT_EQ(started.name, "set_timer");
  const auto delta = Next<FunctionCallArgumentsDelta>(*conversation);
  EXPECT_EQ(delta.response_id, "response-1");
  EXPECT_EQ(delta.call_id, "call-1");
  EXPECT_EQ(delta.arguments, kArguments);
  const auto done = Next<FunctionCallDone>(*conversation);
  EXPECT_EQ(done.response_id, "response-1");
  EXPECT_EQ(done.call_id, "call-1");
  EXPECT_EQ(done.name, "set_timer");
  EXPECT_EQ(done.arguments, kArguments);
  EXPECT_TRUE(done.fits);
  EXPECT_EQ(done.fault, "");
  EXPECT_TRUE(conversation->AnswerFunctionCall("call-1", "ok").ok());
  EXPECT_TRUE(conversation->AnswerFunctionCall("call-1", "ok", /*respond=*/false).ok());
  Next<ResponseDone>(*conversation);
}

TEST(FunctionsTest, OutputsThatCannotBeAreNotSent) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto conversation = OpenOn(server);
  const auto code = [&](const std::string& id, const std::string& output) {
    return conversation->AnswerFunctionCall(id, output).code();
  };
  EXPECT_EQ(code("", "ok"), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(std::string(65, 'c'), "ok"), StatusCode::kInvalidArgument);
  EXPECT_EQ(code("call-1", ""), StatusCode::kInvalidArgument);
  EXPECT_EQ(code("call-1", std::string(4001, 'x')), StatusCode::kInvalidArgument);
  EXPECT_EQ(code("call-1", std::string(4000, 'x')), StatusCode::kOk);
}

TEST(FunctionsTest, TheModelListSaysWhoCalls) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto models = ConnectTo(server)->ListModels();
  ASSERT_TRUE(models.ok());
  EXPECT_TRUE(models->at(0).calls_functions);
  EXPECT_EQ(models->at(0).max_instruction_pieces, 100);
}

TEST(FunctionsTest, AskAnswersCallsAndTheAnswerGoesOn) {
  const ScriptedServer server(CallingScript());
  const auto conversation = OpenAt16kHz(server);
  std::vector<FunctionCallDone> asked;
  AskOptions options;
  options.call_function = [&](const FunctionCallDone& call) {
    asked.push_back(call);
    return std::optional<std::string>("noon");
  };
  Answer answer;
  const Status status = Ask(*conversation, TypedQuestion{"set a timer"}, options, &answer);
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].name, "set_timer");
  EXPECT_EQ(asked[0].arguments, kArguments);
  ASSERT_EQ(answer.calls.size(), 1u);
  EXPECT_EQ(answer.calls[0].call.call_id, "call-1");
  EXPECT_EQ(answer.calls[0].output, "noon");
  EXPECT_EQ(answer.text, "okay it says noon");
  EXPECT_EQ(answer.transcript, "set a timer") << "not that of the output's turn";
  EXPECT_EQ(answer.audio.size(), 4800u);
  EXPECT_EQ(answer.end, ResponseEnd::kCompleted);
  EXPECT_EQ(answer.usage.spoken_frames, 3) << "of both: 2 and 1";
  EXPECT_EQ(answer.ledger.endpoint_decided_us, 1'100'000u);
}

TEST(FunctionsTest, AskLeavesCallsUnansweredUnlessTold) {
  const ScriptedServer server(CallingScript(/*wait=*/false));
  for (const bool asked : {false, true}) {
    const auto conversation = OpenAt16kHz(server);
    AskOptions options;
    if (asked) options.call_function = [](const FunctionCallDone&) { return std::nullopt; };
    Answer answer;
    ASSERT_TRUE(Ask(*conversation, TypedQuestion{"set a timer"}, options, &answer).ok());
    ASSERT_EQ(answer.calls.size(), 1u);
    EXPECT_EQ(answer.calls[0].output, std::nullopt);
    EXPECT_EQ(answer.text, "okay");
  }
}

TEST(FunctionsTest, AModelThatCallsForEverIsLeft) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kCommit);
    do {
      call.EndTurn("x", v1::TurnEnded::CAUSE_COMMIT);
      call.StartResponse();
      call.CallFunction("set_timer", kArguments);
      call.SendDone();
    } while (call.ReadUntil(v1::ClientEvent::kFunctionCallOutput));
    return grpc::Status::OK;
  });
  const auto conversation = OpenAt16kHz(server);
  AskOptions options;
  options.call_function = [](const FunctionCallDone&) { return std::optional<std::string>("again"); };
  Answer answer;
  ASSERT_TRUE(Ask(*conversation, TypedQuestion{"x"}, options, &answer).ok());
  ASSERT_EQ(answer.calls.size(), 9u);
  EXPECT_TRUE(answer.calls[7].output.has_value());
  EXPECT_FALSE(answer.calls[8].output.has_value());
}

TEST(FunctionsTest, SilenceBetweenTwoResponsesIsNoGap) {
  using std::chrono::milliseconds;
  const TimePoint start{};
  Loudspeaker loudspeaker(1000);
  loudspeaker.Receive(start, std::vector<float>(100, 0.5f));
  loudspeaker.BeginNext();
  EXPECT_EQ(loudspeaker.PlayedSamples(start + milliseconds(500)), 0u) << "of the next";
  loudspeaker.Receive(start + milliseconds(500), std::vector<float>(100, 0.5f));
  EXPECT_EQ(loudspeaker.underruns(), 0);
  EXPECT_EQ(loudspeaker.PlayedSamples(start + milliseconds(540)), 40u);
  EXPECT_EQ(loudspeaker.end(), start + milliseconds(600));
  loudspeaker.Receive(start + milliseconds(700), std::vector<float>(100, 0.5f));
  EXPECT_EQ(loudspeaker.underruns(), 1) << "within a response it is";
}

// ---- The command line.

struct Outcome {
  int exit_status = -1;
  std::string out;  // and standard error
};

// `arguments` as a shell reads them.
Outcome Antiphon(const std::string& arguments) {
  Outcome run;
  FILE* pipe = popen(("'" ANTIPHON_PROGRAM "' " + arguments + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) run.out.append(buffer, got);
  const int status = pclose(pipe);
  run.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return run;
}

TEST(FunctionsTest, TheCommandLineDeclaresAndAnswers) {
  const ScriptedServer server(CallingScript());
  const Outcome run = Antiphon(
      "ask --json --text 'set a timer' --function 'set_timer(minutes:integer, label)={\"until\":\"noon\"}' "
      "--function 'stop()=ok' --server " +
      server.target());
  ASSERT_EQ(run.exit_status, 0) << run.out;
  const json output = json::parse(run.out);
  EXPECT_EQ(output["answer"], "okay it says {\"until\":\"noon\"}");
  ASSERT_EQ(output["calls"].size(), 1u);
  EXPECT_EQ(output["calls"][0]["name"], "set_timer");
  EXPECT_EQ(output["calls"][0]["arguments"], kArguments);
  EXPECT_EQ(output["calls"][0]["fits"], true);
  EXPECT_EQ(output["calls"][0]["output"], "{\"until\":\"noon\"}");
  EXPECT_TRUE(output["usage"]["output_function_calls"].is_number());
  ASSERT_TRUE(server.WaitForCalls(1));
  const v1::Functions declared = server.received().at(0).event.session_update().config().functions();
  ASSERT_EQ(declared.functions_size(), 2);
  EXPECT_EQ(declared.functions(0).name(), "set_timer");
  EXPECT_EQ(
      declared.functions(0).parameters(),
      R"({"type":"object","properties":{"minutes":{"type":"integer"},"label":{}},"required":["minutes","label"]})");
  EXPECT_EQ(declared.functions(1).name(), "stop");
  EXPECT_EQ(declared.functions(1).parameters(), "");
}

TEST(FunctionsTest, TheCommandLineTellsPeople) {
  const ScriptedServer server(CallingScript());
  const Outcome run =
      Antiphon("ask --text 'set a timer' --function 'set_timer(minutes)=noon' --server " + server.target());
  ASSERT_EQ(run.exit_status, 0) << run.out;
  EXPECT_THAT(run.out, HasSubstr("call     set_timer {\"minutes\":5}\noutput   noon\n"));
  EXPECT_THAT(run.out, HasSubstr("okay it says noon\n"));
}

TEST(FunctionsTest, TheCommandLineKnowsNoOtherFunctions) {
  const ScriptedServer server(CallingScript());
  const Outcome run = Antiphon("ask --text 'set a timer' --function 'stop()=ok' --server " + server.target());
  ASSERT_EQ(run.exit_status, 0) << run.out;
  EXPECT_THAT(run.out, HasSubstr("output   {\"error\":\"there is no such function\"}\n"));
}

TEST(FunctionsTest, FunctionsThatAreNoneAreRefused) {
  for (const char* const function : {"set_timer", "set_timer(minutes)", "(minutes)=5",
                                     "set_timer(minutes)=", "f(a,a)=5", "f(a,)=5", "f)=("}) {
    const Outcome run = Antiphon("ask --text hello --function '" + std::string(function) + "'");
    EXPECT_EQ(run.exit_status, 2) << function;
    EXPECT_THAT(run.out, HasSubstr("--function")) << function;
  }
}

}  // namespace
}  // namespace antiphon::client
