// Video frames on a real socket.
#include <gtest/gtest.h>

#include <string>

#include "media/image.h"
#include "server/grpc_status.h"
#include "tests/media/pictures.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;

constexpr uint32_t kSide = 16;

std::string Grey(int level) { return std::string(3 * kSide * kSide, static_cast<char>(level)); }

class VideoTest : public ServerFixture {
 protected:
  void StartServerOfPictures(FakeEngineOptions engine = {}) {
    engine.image_side = kSide;
    StartServer({}, engine);
  }
};

TEST_F(VideoTest, AnAnswerIsOfTheNewestFrame) {
  StartServerOfPictures();
  TestCall call(channel_);
  for (const int level : {100, 150, 200})
    ASSERT_TRUE(call.SendVideo(Grey(level), "image/x-rgb", kSide, kSide));
  ASSERT_TRUE(call.Ask("blue 7"));
  auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.text, "you said blue 7 now 200");
  EXPECT_EQ(answer.done.usage().input_video_frames(), 2u);
  EXPECT_EQ(answer.done.usage().dropped_video_frames(), 1u);
  EXPECT_EQ(answer.done.usage().input_images(), 0u);

  ASSERT_TRUE(call.SendText("green"));
  ASSERT_TRUE(call.SendVideo(Grey(50), "image/x-rgb", kSide, kSide));
  ASSERT_TRUE(call.Commit());
  answer = call.ReadAnswer();
  EXPECT_EQ(answer.text, "you said green now 50");
  EXPECT_EQ(answer.done.usage().input_video_frames(), 1u);
}

TEST_F(VideoTest, FramesDuringAnAnswerAreForTheNextTurn) {
  StartServerOfPictures({.endless = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadUntil(Event::kResponseStarted);
  ASSERT_TRUE(call.SendVideo(Grey(90), "image/x-rgb", kSide, kSide));
  ASSERT_TRUE(call.Cancel());
  EXPECT_EQ(call.ReadAnswer().done.status(), v1::ResponseDone::STATUS_CANCELLED);
  ASSERT_TRUE(call.Ask("red 8"));
  call.ReadUntil(Event::kResponseStarted);
  ASSERT_TRUE(call.Cancel());
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.done.usage().input_video_frames(), 1u);
}

TEST_F(VideoTest, FramesAloneCannotBeCommitted) {
  StartServerOfPictures();
  TestCall call(channel_);
  ASSERT_TRUE(call.SendVideo(EncodePng(Sample()).value(), "image/png"));
  ASSERT_TRUE(call.Commit());
  EXPECT_EQ(call.ReadUntil(Event::kError).error().code(),
            static_cast<uint32_t>(grpc::StatusCode::FAILED_PRECONDITION));
}

TEST_F(VideoTest, TooManyFramesAreRefusedAndTheSessionGoesOn) {
  StartServerOfPictures();
  TestCall call(channel_);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(call.SendVideo(Grey(i), "image/x-rgb", kSide, kSide));
  const v1::Error error = call.ReadUntil(Event::kError).error();
  EXPECT_EQ(error.code(), static_cast<uint32_t>(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_EQ(error.field(), "video_frame");
  ASSERT_TRUE(call.Ask("blue 7"));
  EXPECT_EQ(call.ReadAnswer().done.usage().input_video_frames(), 2u);
}

TEST_F(VideoTest, HostileFramesAreNamedAndTheSessionGoesOn) {
  StartServerOfPictures();
  const std::string png = EncodePng(Sample()).value();
  struct {
    const char* what;
    std::string data;
    std::string media_type;
    uint32_t width;
    uint32_t height;
    StatusCode code;
    const char* field;
  } const hostile[] = {
      {"truncated PNG", png.substr(0, png.size() - 30), "image/png", 0, 0, StatusCode::kDataLoss, "data"},
      {"50000 x 50000", PngClaiming(50'000, 50'000), "image/png", 0, 0, StatusCode::kOutOfRange, "data"},
      {"over 2 Mi pixels", PngClaiming(2048, 1025), "image/png", 0, 0, StatusCode::kOutOfRange, "data"},
      {"no media type", png, "", 0, 0, StatusCode::kInvalidArgument, "media_type"},
      {"animation", AnimatedWebp(), "image/webp", 0, 0, StatusCode::kInvalidArgument, "data"},
      {"huge height", std::string(12, 'x'), "image/x-rgb", 2, UINT32_MAX, StatusCode::kOutOfRange, "height"},
      {"too large", std::string(3 * 1024 * 1024 + 1, 'x'), "image/png", 0, 0, StatusCode::kOutOfRange,
       "data"},
  };
  for (const auto& frame : hostile) {
    SCOPED_TRACE(frame.what);
    TestCall call(channel_);  // of its own: mistakes count for the rate
    call.ReadUntil(Event::kSessionCreated);
    ASSERT_TRUE(call.SendVideo(frame.data, frame.media_type, frame.width, frame.height));
    const auto answer = call.Read();
    ASSERT_TRUE(answer && answer->has_error()) << (answer ? answer->ShortDebugString() : "the call ended");
    EXPECT_EQ(answer->error().code(), static_cast<uint32_t>(ToGrpc(frame.code)));
    EXPECT_EQ(answer->error().field(), std::string("video_frame.") + frame.field);
    ASSERT_TRUE(call.Ask("blue 7"));
    EXPECT_EQ(call.ReadAnswer().text, "you said blue 7");
  }
}

TEST_F(VideoTest, HowManyFramesStayIsASetting) {
  StartServerOfPictures();
  TestCall call(channel_);
  EXPECT_EQ(call.ReadUntil(Event::kSessionCreated).session_created().config().max_video_frames(), 2u);
  v1::ClientEvent update;
  update.mutable_session_update()->mutable_config()->set_max_video_frames(4);
  ASSERT_TRUE(call.Send(update));
  EXPECT_EQ(call.ReadUntil(Event::kSessionUpdated).session_updated().config().max_video_frames(), 4u);
  for (const int level : {1, 2, 3, 4, 5})
    ASSERT_TRUE(call.SendVideo(Grey(level), "image/x-rgb", kSide, kSide));
  ASSERT_TRUE(call.Ask("blue 7"));
  EXPECT_EQ(call.ReadAnswer().done.usage().input_video_frames(), 4u);
}

}  // namespace
}  // namespace antiphon
