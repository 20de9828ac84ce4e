// Speech is sent at the pace at which it is played, over a real socket.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>

#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class PacingTest : public ServerFixture {};

TEST_F(PacingTest, SpeechComesNoEarlierThanItsLeadAllows) {
  StartServer({}, {.answer_frames = 15});
  TestCall call(channel_);
  ASSERT_TRUE(call.SetMaxLead(200));
  // The playback begins later than that.
  const auto asked = steady_clock::now();
  ASSERT_TRUE(call.Ask("blue 7"));
  size_t samples = 0;
  while (const auto event = call.Read()) {
    if (event->has_audio_delta()) samples += event->audio_delta().audio().size() / 2;
    const milliseconds sent(samples * 1000 / 24000);
    EXPECT_GE(steady_clock::now() - asked, sent - milliseconds(200));
    if (!event->has_response_done()) continue;
    EXPECT_EQ(event->response_done().status(), v1::ResponseDone::STATUS_COMPLETED);
    break;
  }
  EXPECT_EQ(samples, 15u * 1920u);
}

TEST_F(PacingTest, TheEngineMakesNoMoreThanIsPlayedSoon) {
  StartServer({}, {.answer_frames = 1000});
  TestCall call(channel_);
  ASSERT_TRUE(call.SetMaxLead(400));
  ASSERT_TRUE(call.Ask("blue 7"));
  for (int i = 0; i < 6; ++i) call.ReadUntil(Event::kAudioDelta);
  ASSERT_TRUE(call.Cancel());
  const Event done = call.ReadUntil(Event::kResponseDone);
  EXPECT_EQ(done.response_done().status(), v1::ResponseDone::STATUS_CANCELLED);
  EXPECT_GE(done.response_done().usage().spoken_frames(), 6u);
  EXPECT_LE(done.response_done().usage().spoken_frames(), 200u) << "at half a millisecond a frame";
}

TEST_F(PacingTest, AServerThatStopsSendsTheRestAtOnce) {
  StartServer({.drain = milliseconds(15'000)}, {.answer_frames = 700});
  TestCall call(channel_);
  ASSERT_TRUE(call.SetMaxLead(200));
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadUntil(Event::kAudioDelta);
  auto stopped = std::async(std::launch::async, [this] { server_->Stop(); });
  const auto answer = call.ReadAnswer();  // of 56 s; the call has 20
  EXPECT_EQ(answer.done.status(), v1::ResponseDone::STATUS_COMPLETED);
  EXPECT_EQ(answer.done.usage().spoken_frames(), 700u);
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  stopped.get();
}

TEST_F(PacingTest, WhoListensToALongAnswerIsNotIdle) {
  StartServer({.idle_timeout = milliseconds(1000)}, {.answer_frames = 25});
  TestCall call(channel_);
  ASSERT_TRUE(call.SetMaxLead(200));
  ASSERT_TRUE(call.Ask("blue 7"));  // 1.8 s without a word from the client
  EXPECT_EQ(call.ReadAnswer().done.status(), v1::ResponseDone::STATUS_COMPLETED);
  ASSERT_TRUE(call.Ask("blue 8"));
  EXPECT_EQ(call.ReadAnswer().text, "you said blue 8");
}

TEST_F(PacingTest, ALeadOutOfItsLimitsIsRefused) {
  StartServer();
  TestCall call(channel_);
  for (const uint32_t lead : {1u, 199u, 60'001u, UINT32_MAX}) {
    ASSERT_TRUE(call.SetMaxLead(lead));
    const Event error = call.ReadUntil(Event::kError);
    EXPECT_EQ(error.error().field(), "session_update.config.max_lead_ms");
    EXPECT_NE(error.error().message().find("200 to 60000"), std::string::npos) << error.error().message();
  }
  ASSERT_TRUE(call.Ask("blue 7"));
  EXPECT_EQ(call.ReadAnswer().text, "you said blue 7");
}

}  // namespace
}  // namespace antiphon
