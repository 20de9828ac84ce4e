// Voice and speed over the wire.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstring>

#include "antiphon/v1/model.grpc.pb.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;

class MannerTest : public ServerFixture {
 protected:
  void SetUp() override { StartServer({}, {.manners = true}); }

  static bool Update(TestCall& call, const std::string& voice, v1::Speed speed) {
    v1::ClientEvent event;
    event.mutable_session_update()->mutable_config()->set_voice(voice);
    event.mutable_session_update()->mutable_config()->set_speed(speed);
    return call.Send(event);
  }
  // A sample from the middle of PCM16, of full scale.
  static float Middle(const std::string& audio) {
    int16_t value = 0;
    std::memcpy(&value, audio.data() + audio.size() / 4 * 2, 2);
    return static_cast<float>(value) / 32768.0f;
  }
};

TEST_F(MannerTest, ASessionBeginsInItsOwnVoiceAtNormalSpeed) {
  TestCall call(channel_);
  const auto config = call.ReadUntil(Event::kSessionCreated).session_created().config();
  EXPECT_EQ(config.voice(), "own");
  EXPECT_EQ(config.speed(), v1::SPEED_NORMAL);
}

TEST_F(MannerTest, TheClientsChoiceHoldsFromTheNextAnswerOn) {
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 25"));
  EXPECT_EQ(call.ReadAnswer().audio.size(), 5u * 1920u * 2u);  // 80 ms at 24 kHz
  ASSERT_TRUE(Update(call, "low", v1::SPEED_SLOW));
  const auto config = call.ReadUntil(Event::kSessionUpdated).session_updated().config();
  EXPECT_EQ(config.voice(), "low");
  EXPECT_EQ(config.speed(), v1::SPEED_SLOW);
  ASSERT_TRUE(call.Ask("blue 25"));
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.audio.size(), 5u * 2400u * 2u);
  EXPECT_NEAR(Middle(answer.audio), -0.25f, 0.01f);
  EXPECT_EQ(answer.done.usage().spoken_frames(), 5u);
  ASSERT_TRUE(Update(call, "", v1::SPEED_FAST));  // the voice stays
  ASSERT_TRUE(call.Ask("blue 25"));
  const auto fast = call.ReadAnswer();
  EXPECT_EQ(fast.audio.size(), 5u * 1536u * 2u);
  EXPECT_NEAR(Middle(fast.audio), -0.25f, 0.01f);
}

TEST_F(MannerTest, WhatTheModelAgreesToIsTold) {
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("speak faster 25"));
  const auto config = call.ReadUntil(Event::kSessionUpdated).session_updated().config();
  EXPECT_EQ(config.voice(), "low");
  EXPECT_EQ(config.speed(), v1::SPEED_FAST);
  call.ReadUntil(Event::kResponseDone);
  ASSERT_TRUE(call.Ask("blue 25"));
  EXPECT_EQ(call.ReadAnswer().audio.size(), 5u * 1536u * 2u);
}

TEST_F(MannerTest, MistakesAreNamedAndChangeNothing) {
  TestCall call(channel_);
  const struct {
    std::string voice;
    int speed;
    const char* field;
  } mistakes[] = {{"alloy", 0, "session_update.config.voice"},
                  {"LOW", 0, "session_update.config.voice"},
                  {std::string(100'000, 'x'), 0, "session_update.config.voice"},
                  {"low", 4, "session_update.config.speed"},
                  {"low", -1, "session_update.config.speed"}};
  for (const auto& mistake : mistakes) {
    ASSERT_TRUE(Update(call, mistake.voice, static_cast<v1::Speed>(mistake.speed)));
    const auto error = call.ReadUntil(Event::kError).error();
    EXPECT_EQ(error.field(), mistake.field);
    EXPECT_LT(error.message().size(), 200u);
  }
  ASSERT_TRUE(Update(call, "", v1::SPEED_UNSPECIFIED));
  const auto config = call.ReadUntil(Event::kSessionUpdated).session_updated().config();
  EXPECT_EQ(config.voice(), "own");
  EXPECT_EQ(config.speed(), v1::SPEED_NORMAL);
}

TEST_F(MannerTest, TheModelListsThem) {
  const auto list = [&] {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    EXPECT_TRUE(v1::ModelService::NewStub(channel_)->ListModels(&context, {}, &response).ok());
    return response.models(0);
  };
  v1::ModelInfo model = list();
  EXPECT_EQ(std::vector<std::string>(model.voices().begin(), model.voices().end()),
            (std::vector<std::string>{"own", "low"}));
  EXPECT_EQ(std::vector<int>(model.speeds().begin(), model.speeds().end()), (std::vector<int>{1, 2, 3}));
  server_.reset();
  StartServer();  // of a model without
  model = list();
  EXPECT_EQ(std::vector<std::string>(model.voices().begin(), model.voices().end()),
            (std::vector<std::string>{"own"}));
  EXPECT_EQ(std::vector<int>(model.speeds().begin(), model.speeds().end()), (std::vector<int>{2}));
}

}  // namespace
}  // namespace antiphon
