// Functions over the wire.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <string>

#include "antiphon/v1/model.grpc.pb.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;

constexpr char kMinutes[] =
    R"({"type":"object","properties":{"minutes":{"type":"integer"}},"required":["minutes"]})";

class FunctionsTest : public ServerFixture {
 protected:
  void SetUp() override { StartServer({}, {.calls_functions = true}); }

  static bool Declare(TestCall& call, const std::string& name, const std::string& parameters = kMinutes) {
    v1::ClientEvent event;
    v1::Function* function =
        event.mutable_session_update()->mutable_config()->mutable_functions()->add_functions();
    function->set_name(name);
    function->set_parameters(parameters);
    return call.Send(event);
  }
  static bool Output(TestCall& call, const std::string& call_id, const std::string& output) {
    v1::ClientEvent event;
    event.set_event_id("output");
    event.mutable_function_call_output()->set_call_id(call_id);
    event.mutable_function_call_output()->set_output(output);
    return call.Send(event);
  }
  bool CallsFunctions() {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    EXPECT_TRUE(v1::ModelService::NewStub(channel_)->ListModels(&context, {}, &response).ok());
    return response.models(0).calls_functions();
  }
};

TEST_F(FunctionsTest, ACallAndWhatCameOfIt) {
  TestCall call(channel_);
  ASSERT_TRUE(Declare(call, "set_timer"));
  const auto config = call.ReadUntil(Event::kSessionUpdated).session_updated().config();
  ASSERT_EQ(config.functions().functions_size(), 1);
  EXPECT_EQ(config.functions().functions(0).name(), "set_timer");
  EXPECT_EQ(config.functions().functions(0).parameters(), kMinutes);
  ASSERT_TRUE(call.Ask("call 5"));
  const auto started = call.ReadUntil(Event::kFunctionCallStarted).function_call_started();
  EXPECT_EQ(started.name(), "set_timer");
  std::string arguments;
  v1::FunctionCallDone done;
  while (auto event = call.Read()) {
    if (event->has_function_call_arguments_delta()) {
      EXPECT_EQ(event->function_call_arguments_delta().call_id(), started.call_id());
      arguments += event->function_call_arguments_delta().arguments();
    }
    if (!event->has_function_call_done()) continue;
    done = event->function_call_done();
    break;
  }
  EXPECT_EQ(done.call_id(), started.call_id());
  EXPECT_EQ(done.response_id(), started.response_id());
  EXPECT_EQ(done.name(), "set_timer");
  EXPECT_EQ(done.arguments(), R"({"minutes":5})");
  EXPECT_EQ(done.arguments(), arguments);
  EXPECT_TRUE(done.fits()) << done.fault();
  // Before the response is over.
  ASSERT_TRUE(Output(call, done.call_id(), "noon"));
  const auto first = call.ReadUntil(Event::kResponseDone).response_done();
  EXPECT_EQ(first.usage().output_function_calls(), 1u);
  EXPECT_EQ(first.usage().output_function_pieces(), 4u);
  const auto ended = call.ReadUntil(Event::kTurnEnded).turn_ended();
  EXPECT_EQ(ended.cause(), v1::TurnEnded::CAUSE_COMMIT);
  EXPECT_EQ(ended.transcript(), "");
  const auto reply = call.ReadAnswer();
  EXPECT_EQ(reply.text, "it came to noon");
  EXPECT_FALSE(reply.audio.empty());
  EXPECT_EQ(reply.done.usage().input_function_outputs(), 1u);
  EXPECT_EQ(reply.done.usage().input_function_pieces(), 4u);
  call.HalfClose();
  EXPECT_TRUE(call.End().ok());
}

TEST_F(FunctionsTest, MistakesAreNamedAndTheSessionGoesOn) {
  TestCall call(channel_);
  const struct {
    std::string name;
    std::string parameters;
    const char* field;
  } mistakes[] = {
      {"", "", "session_update.config.functions[0].name"},
      {"setTimer", "", "session_update.config.functions[0].name"},
      {std::string(100'000, 'x'), "", "session_update.config.functions[0].name"},
      {"set_timer", "{", "session_update.config.functions[0].parameters"},
      {"set_timer", std::string(100'000, '['), "session_update.config.functions[0].parameters"},
  };
  for (const auto& mistake : mistakes) {
    ASSERT_TRUE(Declare(call, mistake.name, mistake.parameters));
    const auto error = call.ReadUntil(Event::kError).error();
    EXPECT_EQ(error.code(), static_cast<uint32_t>(grpc::StatusCode::INVALID_ARGUMENT));
    EXPECT_EQ(error.field(), mistake.field);
    EXPECT_LT(error.message().size(), 300u);
  }
  ASSERT_TRUE(Output(call, "call-1", "noon"));
  const auto error = call.ReadUntil(Event::kError).error();
  EXPECT_EQ(error.field(), "function_call_output.call_id");
  EXPECT_EQ(error.event_id(), "output");
  ASSERT_TRUE(call.Ask("call 5"));
  EXPECT_EQ(call.ReadAnswer().done.usage().output_function_calls(), 0u) << "nothing is declared";
}

TEST_F(FunctionsTest, TheModelSaysWhetherItCalls) {
  EXPECT_TRUE(CallsFunctions());
  server_.reset();
  StartServer();  // of a model that does not
  EXPECT_FALSE(CallsFunctions());
  TestCall call(channel_);
  ASSERT_TRUE(Declare(call, "set_timer"));
  const auto error = call.ReadUntil(Event::kError).error();
  EXPECT_EQ(error.code(), static_cast<uint32_t>(grpc::StatusCode::UNIMPLEMENTED));
  EXPECT_EQ(error.field(), "session_update.config.functions");
}

}  // namespace
}  // namespace antiphon
