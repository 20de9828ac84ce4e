// The server's life: clients that vanish, draining, health and reflection.
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "antiphon/v1/model.grpc.pb.h"
#include "tests/server/bare_calls.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;
using std::chrono::milliseconds;

class LifecycleTest : public ServerFixture {};

TEST_F(LifecycleTest, AClientGoneInTheMiddleOfAnAnswerFreesTheSequenceAtOnce) {
  StartServer({}, {.endless = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadUntil(Event::kAudioDelta);
  EXPECT_EQ(engine_->statistics().open_sequences, 1);
  const auto gone = std::chrono::steady_clock::now();
  call.Vanish();
  EXPECT_TRUE(engine_->WaitForSequences(0));
  EXPECT_LT(std::chrono::steady_clock::now() - gone, std::chrono::seconds(2));
}

TEST_F(LifecycleTest, AClientGoneWhileItSpeaksFreesTheSequence) {
  StartServer();
  TestCall call(channel_);
  ASSERT_TRUE(call.SendAudio(std::string(48000, '\0')));
  call.ReadUntil(Event::kSessionCreated);
  call.Vanish();
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(LifecycleTest, ManyClientsComeAndGo) {
  StartServer({.max_sessions = 4}, {.endless = true});
  for (int i = 0; i < 40; ++i) {
    TestCall call(channel_);
    ASSERT_TRUE(call.Ask("blue 7"));
    call.ReadUntil(i % 2 == 0 ? Event::kAudioDelta : Event::kSessionCreated);
    call.Vanish();
    ASSERT_TRUE(engine_->WaitForSequences(0));
  }
}

TEST_F(LifecycleTest, DrainingLetsAResponseFinishAndRefusesNewSessions) {
  StartServer({}, {.step = std::chrono::milliseconds(5), .answer_frames = 60});
  TestCall talking(channel_);
  TestCall idle(channel_);
  ASSERT_TRUE(talking.Ask("blue 7"));
  talking.ReadUntil(Event::kAudioDelta);
  idle.ReadUntil(Event::kSessionCreated);
  EXPECT_EQ(CheckHealth(channel_, ""), HealthStatus::kServing);

  auto stopped = std::async(std::launch::async, [this] { server_->Stop(); });
  EXPECT_EQ(idle.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(CheckHealth(channel_, ""), HealthStatus::kNotServing);
  EXPECT_EQ(CheckHealth(channel_, "antiphon.v1.ConversationService"), HealthStatus::kNotServing);
  TestCall late(channel_);
  EXPECT_EQ(late.End().error_code(), grpc::StatusCode::UNAVAILABLE);

  const auto answer = talking.ReadAnswer();
  EXPECT_EQ(answer.done.status(), v1::ResponseDone::STATUS_COMPLETED);
  EXPECT_EQ(answer.done.usage().spoken_frames(), 60u);
  EXPECT_EQ(talking.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  stopped.get();
  EXPECT_EQ(engine_->statistics().open_sequences, 0);
}

TEST_F(LifecycleTest, DrainingEndsAResponseThatTakesTooLong) {
  StartServer({.drain = milliseconds(200)}, {.endless = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadUntil(Event::kAudioDelta);
  auto stopped = std::async(std::launch::async, [this] { server_->Stop(); });
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  stopped.get();
  EXPECT_EQ(engine_->statistics().open_sequences, 0);
}

TEST_F(LifecycleTest, AServerThatIsDestroyedEndsItsSessions) {
  StartServer({}, {.endless = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadUntil(Event::kAudioDelta);
  auto ended = std::async(std::launch::async, [&call] { return call.End(); });
  server_.reset();
  EXPECT_EQ(ended.get().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(engine_->statistics().open_sequences, 0);
}

TEST_F(LifecycleTest, ReportsHealth) {
  StartServer();
  for (const char* service :
       {"", "antiphon.v1.ConversationService", "antiphon.v1.GenerationService", "antiphon.v1.ModelService"}) {
    EXPECT_EQ(CheckHealth(channel_, service), HealthStatus::kServing) << service;
  }
  EXPECT_EQ(CheckHealth(channel_, "no.such.Service"), HealthStatus::kUnknown);
}

TEST_F(LifecycleTest, ReflectsItsServices) {
  StartServer();
  // ServerReflectionRequest { list_services: "" }, answered with the names in plain bytes.
  grpc::GenericStub stub(channel_);
  const std::string answer =
      CallOnce(&stub, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", {"\x3a\x00", 2});
  for (const char* service :
       {"antiphon.v1.ConversationService", "antiphon.v1.GenerationService", "antiphon.v1.ModelService",
        "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}) {
    EXPECT_NE(answer.find(service), std::string::npos) << service;
  }
}

TEST_F(LifecycleTest, ListsItsModel) {
  StartServer();
  auto stub = v1::ModelService::NewStub(channel_);
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  ASSERT_TRUE(stub->ListModels(&context, {}, &response).ok());
  ASSERT_EQ(response.models_size(), 1);
  const v1::ModelInfo& model = response.models(0);
  EXPECT_EQ(model.name(), "fake");
  EXPECT_EQ(model.version(), "v1");
  EXPECT_EQ(model.parameters(), 1234u);
  EXPECT_EQ(model.sample_rate(), 16000u);
  EXPECT_EQ(model.frame_ms(), 80u);
  EXPECT_EQ(model.codebooks(), 4u);
  EXPECT_EQ(model.vocabulary_size(), 600u);
  EXPECT_EQ(model.max_positions(), 4096u);
  EXPECT_EQ(model.input_modalities_size(), 2);
  EXPECT_EQ(model.output_modalities_size(), 2);
}

TEST_F(LifecycleTest, APortInUseIsSaid) {
  StartServer();
  FakeEngine engine;
  const auto second = Server::Start(engine, {.listen = server_->address()});
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(second.status().message().find(server_->address()), std::string::npos);
}

}  // namespace
}  // namespace antiphon
