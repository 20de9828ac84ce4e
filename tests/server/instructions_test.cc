// Instructions over the wire.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <string>

#include "antiphon/v1/model.grpc.pb.h"
#include "tests/server/generate_fixture.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;

class InstructionsTest : public ServerFixture {
 protected:
  void SetUp() override { StartServer({}, {.max_instruction_pieces = 12}); }

  static bool Instruct(TestCall& call, const std::string& text) {
    v1::ClientEvent event;
    event.mutable_session_update()->mutable_config()->set_instructions(text);
    return call.Send(event);
  }
  uint32_t MostPieces() {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    const auto stub = v1::ModelService::NewStub(channel_);
    EXPECT_TRUE(stub->ListModels(&context, {}, &response).ok());
    return response.models(0).max_instruction_pieces();
  }
};

TEST_F(InstructionsTest, ReachTheEngineAndComeBack) {
  EXPECT_EQ(MostPieces(), 12u);
  TestCall call(channel_);
  EXPECT_EQ(call.ReadUntil(Event::kSessionCreated).session_created().config().instructions(), "");
  ASSERT_TRUE(Instruct(call, "be kind"));
  EXPECT_EQ(call.ReadUntil(Event::kSessionUpdated).session_updated().config().instructions(), "be kind");
  EXPECT_EQ(engine_->instructions(), "be kind");
  ASSERT_TRUE(Instruct(call, ""));
  EXPECT_EQ(call.ReadUntil(Event::kSessionUpdated).session_updated().config().instructions(), "");
  EXPECT_EQ(engine_->instructions(), "");
}

TEST_F(InstructionsTest, MistakesAreNamed) {
  TestCall call(channel_);
  ASSERT_TRUE(Instruct(call, "be very kind"));
  ASSERT_TRUE(Instruct(call, "be kinder still"));
  const v1::Error error = call.ReadUntil(Event::kError).error();
  EXPECT_EQ(error.code(), static_cast<uint32_t>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_EQ(error.field(), "session_update.config.instructions");
  EXPECT_EQ(engine_->instructions(), "be very kind");
}

TEST_F(InstructionsTest, AGenerateCallHasThem) {
  v1::GenerateRequest request = RequestOf({TextOf("blue 7")}, {v1::MODALITY_TEXT});
  request.set_instructions("be kind");
  {
    GenerateStream call(channel_, request);
    EXPECT_TRUE(call.End().ok());
  }
  EXPECT_EQ(engine_->instructions(), "be kind");
  request.set_instructions("be kinder still");
  GenerateStream call(channel_, request);
  const grpc::Status status = call.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message().rfind("instructions", 0), 0u) << status.error_message();
}

class NoInstructionsTest : public ServerFixture {
 protected:
  void SetUp() override { StartServer(); }
};

TEST_F(NoInstructionsTest, AModelThatKnowsNoneRefusesThem) {
  TestCall call(channel_);
  v1::ClientEvent event;
  event.mutable_session_update()->mutable_config()->set_instructions("be kind");
  ASSERT_TRUE(call.Send(event));
  const v1::Error error = call.ReadUntil(Event::kError).error();
  EXPECT_EQ(error.code(), static_cast<uint32_t>(grpc::StatusCode::UNIMPLEMENTED));
  EXPECT_EQ(error.field(), "session_update.config.instructions");
}

}  // namespace
}  // namespace antiphon
