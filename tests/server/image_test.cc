// Pictures in and out, on a real socket.
#include "media/image.h"

#include <gtest/gtest.h>

#include "antiphon/v1/model.grpc.pb.h"
#include "server/grpc_status.h"
#include "tests/media/pictures.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;
using std::chrono::milliseconds;

constexpr int kSide = 16;

class ImageTest : public ServerFixture {
 protected:
  void StartServerOfPictures(FakeEngineOptions engine = {}) {
    engine.image_side = kSide;
    StartServer({}, engine);
  }
  // The picture as it looks with so many rows.
  Image Painting(uint32_t rows) const {
    const std::vector<int> codes(static_cast<size_t>(rows) * FakeEngine::kImageGrid, FakeEngine::kCode);
    return engine_->PaintImage(codes).value();
  }
};

Image Decoded(const std::string& png) {
  const Result<Image> image = DecodeImage(png, "image/png");
  EXPECT_TRUE(image.ok()) << image.status().ToString();
  return image.ok() ? *image : Image{};
}

TEST_F(ImageTest, PicturesOfEveryKindArriveAsPixels) {
  StartServerOfPictures();
  const Image image = Sample();
  const std::vector<uint16_t> deep(3 * 7 * 9, 30'000);
  TestCall call(channel_);
  ASSERT_TRUE(call.SendImage(EncodePng(image).value(), "image/png"));
  ASSERT_TRUE(call.SendImage(PngOf(7, 9, PNG_FORMAT_LINEAR_RGB, deep.data()), "image/png"));
  ASSERT_TRUE(call.SendImage(JpegOf(Sample(50, 20)), "image/jpeg"));
  ASSERT_TRUE(call.SendImage(CmykJpegOf(Sample(31, 17)), "image/jpeg"));
  ASSERT_TRUE(call.SendImage(WebpOf(Sample(12, 13)), "image/webp"));
  ASSERT_TRUE(call.SendImage(std::string(3 * 5 * 4, 'x'), "image/x-rgb", 5, 4));
  ASSERT_TRUE(call.Commit());
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.text, "i saw 40x24 7x9 50x20 31x17 12x13 5x4");
  EXPECT_EQ(answer.done.usage().input_images(), 6u);
  EXPECT_EQ(answer.done.usage().output_images(), 0u);
  EXPECT_EQ(answer.done.ledger().first_image_us(), 0u);
}

TEST_F(ImageTest, TheLargestPictureFitsAMessage) {
  StartServerOfPictures();
  TestCall call(channel_);
  ASSERT_TRUE(call.SendText("blue 7"));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(call.SendImage(std::string(3 * 1024 * 1024, 'x'), "image/x-rgb", 1024, 1024));
  }
  ASSERT_TRUE(call.Commit());
  EXPECT_EQ(call.ReadAnswer().text, "you said blue 7 and 1024x1024 1024x1024 1024x1024");
}

TEST_F(ImageTest, APictureIsDrawnWhileTheVoiceGoesOn) {
  StartServerOfPictures({.step = milliseconds(5), .answer_frames = 10});
  TestCall call(channel_);
  const auto created = call.ReadUntil(Event::kSessionCreated).session_created();
  EXPECT_EQ(created.config().output_modalities_size(), 3);
  ASSERT_TRUE(call.Ask("draw 7"));
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.text, "you said draw 7");
  EXPECT_EQ(answer.audio.size(), 10u * 1920u * 2u) << "no speech is lost to pictures";
  ASSERT_EQ(answer.pictures.size(), 1u);
  EXPECT_EQ(answer.pictures[0].response_id(), answer.done.response_id());
  EXPECT_EQ(answer.pictures[0].width(), static_cast<uint32_t>(kSide));
  EXPECT_EQ(answer.pictures[0].height(), static_cast<uint32_t>(kSide));
  EXPECT_EQ(answer.pictures[0].grid(), static_cast<uint32_t>(FakeEngine::kImageGrid));
  EXPECT_GE(answer.previews.size(), 1u);
  uint32_t rows = 0;
  for (const v1::ImageDelta& preview : answer.previews) {
    EXPECT_EQ(preview.response_id(), answer.done.response_id());
    EXPECT_EQ(preview.image_index(), 0u);
    EXPECT_GT(preview.rows(), rows);
    rows = preview.rows();
    EXPECT_LT(rows, 8u);
    EXPECT_EQ(Decoded(preview.preview()), Painting(rows));
  }
  ASSERT_EQ(answer.finished.size(), 1u) << "before ResponseDone";
  EXPECT_EQ(answer.finished[0].image_index(), 0u);
  EXPECT_EQ(Decoded(answer.finished[0].png()), Painting(8));
  EXPECT_EQ(answer.done.usage().output_images(), 1u);
  EXPECT_GE(answer.done.ledger().first_image_us(), answer.done.ledger().first_symbol_us());
}

TEST_F(ImageTest, AWrittenAnswerMayHaveAPicture) {
  StartServerOfPictures();
  TestCall call(channel_);
  v1::ClientEvent update;
  update.mutable_session_update()->mutable_config()->add_output_modalities(v1::MODALITY_IMAGE);
  ASSERT_TRUE(call.Send(update));
  const auto config = call.ReadUntil(Event::kSessionUpdated).session_updated().config();
  ASSERT_EQ(config.output_modalities_size(), 2);
  EXPECT_EQ(config.output_modalities(1), v1::MODALITY_IMAGE);
  ASSERT_TRUE(call.Ask("draw 7"));
  const auto answer = call.ReadAnswer();
  EXPECT_TRUE(answer.audio.empty());
  EXPECT_EQ(answer.finished.size(), 1u);
}

TEST_F(ImageTest, NobodyWhoDidNotAskGetsAPicture) {
  StartServerOfPictures();
  TestCall call(channel_);
  v1::ClientEvent update;
  update.mutable_session_update()->mutable_config()->add_output_modalities(v1::MODALITY_TEXT);
  ASSERT_TRUE(call.Send(update));
  ASSERT_TRUE(call.Ask("draw 7"));
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.text, "you said draw 7");
  EXPECT_TRUE(answer.pictures.empty());
  EXPECT_TRUE(answer.finished.empty());
}

TEST_F(ImageTest, CancelInTheMiddleOfAPicture) {
  StartServerOfPictures({.endless = true, .rows_drawn = 3});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("draw 7"));
  call.ReadUntil(Event::kImageDelta);
  ASSERT_TRUE(call.Cancel());
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.done.status(), v1::ResponseDone::STATUS_CANCELLED);
  EXPECT_EQ(answer.done.usage().output_images(), 0u);
  EXPECT_TRUE(answer.finished.empty());
  ASSERT_TRUE(call.Ask("blue 8"));
  const auto next = call.Read();
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->has_turn_ended()) << next->ShortDebugString();
}

TEST_F(ImageTest, ClearForgetsPictures) {
  StartServerOfPictures();
  TestCall call(channel_);
  ASSERT_TRUE(call.SendImage(EncodePng(Sample()).value(), "image/png"));
  v1::ClientEvent clear;
  clear.mutable_clear();
  ASSERT_TRUE(call.Send(clear));
  ASSERT_TRUE(call.Ask("blue 7"));
  EXPECT_EQ(call.ReadAnswer().text, "you said blue 7");
}

TEST_F(ImageTest, HostilePicturesAreNamedAndTheSessionGoesOn) {
  StartServerOfPictures();
  TestCall call(channel_);
  call.ReadUntil(Event::kSessionCreated);
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
      {"truncated JPEG", JpegOf(Sample()).substr(0, 300), "image/jpeg", 0, 0, StatusCode::kDataLoss, "data"},
      {"1 x 100000", PngClaiming(1, 100'000), "image/png", 0, 0, StatusCode::kOutOfRange, "data"},
      {"50000 x 50000", PngClaiming(50'000, 50'000), "image/png", 0, 0, StatusCode::kOutOfRange, "data"},
      {"wrong media type", png, "image/webp", 0, 0, StatusCode::kInvalidArgument, "data"},
      {"no media type", png, "", 0, 0, StatusCode::kInvalidArgument, "media_type"},
      {"animation", AnimatedWebp(), "image/webp", 0, 0, StatusCode::kInvalidArgument, "data"},
      {"wrong size", std::string(11, 'x'), "image/x-rgb", 2, 2, StatusCode::kInvalidArgument, "data"},
      {"no width", std::string(12, 'x'), "image/x-rgb", 0, 2, StatusCode::kOutOfRange, "width"},
      {"huge height", std::string(12, 'x'), "image/x-rgb", 2, UINT32_MAX, StatusCode::kOutOfRange, "height"},
      {"too large", std::string(3 * 1024 * 1024 + 1, 'x'), "image/png", 0, 0, StatusCode::kOutOfRange,
       "data"},
  };
  for (const auto& picture : hostile) {
    SCOPED_TRACE(picture.what);
    v1::ClientEvent event;
    event.set_event_id(picture.what);
    event.mutable_image_append()->set_data(picture.data);
    event.mutable_image_append()->set_media_type(picture.media_type);
    event.mutable_image_append()->set_width(picture.width);
    event.mutable_image_append()->set_height(picture.height);
    ASSERT_TRUE(call.Send(event));
    const auto answer = call.Read();
    ASSERT_TRUE(answer && answer->has_error()) << (answer ? answer->ShortDebugString() : "the call ended");
    EXPECT_EQ(answer->error().code(), static_cast<uint32_t>(ToGrpc(picture.code)));
    EXPECT_EQ(answer->error().field(), std::string("image_append.") + picture.field);
    EXPECT_EQ(answer->error().event_id(), picture.what);
  }
  ASSERT_TRUE(call.Ask("blue 7"));
  EXPECT_EQ(call.ReadAnswer().text, "you said blue 7");
}

TEST_F(ImageTest, OnePictureTooManyIsRefused) {
  StartServerOfPictures();
  TestCall call(channel_);
  const std::string png = EncodePng(Sample()).value();
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(call.SendImage(png, "image/png"));
  const v1::Error error = call.ReadUntil(Event::kError).error();
  EXPECT_EQ(error.code(), static_cast<uint32_t>(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_EQ(error.field(), "image_append.data");
  ASSERT_TRUE(call.Commit());
  EXPECT_EQ(call.ReadAnswer().done.usage().input_images(), 8u);
}

TEST_F(ImageTest, NoPictureDuringAResponse) {
  StartServerOfPictures({.endless = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadUntil(Event::kResponseStarted);
  ASSERT_TRUE(call.SendImage(EncodePng(Sample()).value(), "image/png"));
  EXPECT_EQ(call.ReadUntil(Event::kError).error().code(),
            static_cast<uint32_t>(grpc::StatusCode::FAILED_PRECONDITION));
}

TEST_F(ImageTest, AModelWithoutPicturesSaysSo) {
  StartServer();
  TestCall call(channel_);
  EXPECT_EQ(call.ReadUntil(Event::kSessionCreated).session_created().config().output_modalities_size(), 2);
  ASSERT_TRUE(call.SendImage(EncodePng(Sample()).value(), "image/png"));
  EXPECT_EQ(call.ReadUntil(Event::kError).error().code(),
            static_cast<uint32_t>(grpc::StatusCode::UNIMPLEMENTED));
  ASSERT_TRUE(call.Ask("draw 7"));
  EXPECT_EQ(call.ReadAnswer().text, "you said draw 7");
}

// Previews of some 190 KB: eight of them are more than may wait, the newest one alone is not.
TEST_F(ImageTest, AClientThatIsBehindGetsTheNewestPreview) {
  StartServer({.max_unread_bytes = 768 * 1024},
              {.step = milliseconds(10), .answer_frames = 60, .image_side = 256});
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 * 1024);
  TestCall call(NewChannel(arguments));
  ASSERT_TRUE(call.Ask("draw 7"));
  ASSERT_TRUE(engine_->WaitForSpokenFrames(60));  // the picture is complete; nothing was read
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.done.status(), v1::ResponseDone::STATUS_COMPLETED);
  EXPECT_LT(answer.previews.size(), 7u);
  ASSERT_EQ(answer.finished.size(), 1u);
  EXPECT_EQ(Decoded(answer.finished[0].png()), Painting(8));
}

TEST_F(ImageTest, AModelOfPicturesIsListedAsOne) {
  StartServerOfPictures();
  auto stub = v1::ModelService::NewStub(channel_);
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  ASSERT_TRUE(stub->ListModels(&context, {}, &response).ok());
  const v1::ModelInfo& model = response.models(0);
  EXPECT_EQ(model.input_modalities_size(), 3);
  EXPECT_EQ(model.output_modalities(2), v1::MODALITY_IMAGE);
  EXPECT_EQ(model.image_side(), static_cast<uint32_t>(kSide));
  EXPECT_EQ(model.image_grid(), static_cast<uint32_t>(FakeEngine::kImageGrid));
}

}  // namespace
}  // namespace antiphon
