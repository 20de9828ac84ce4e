// Pictures through the library: sent, received, asked about.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "antiphon/ask.h"
#include "tests/client/client_fixture.h"

namespace antiphon::client {
namespace {

using namespace std::chrono_literals;
using testing::Call;
using testing::ScriptedServer;

// The messages of one kind that the first call received.
std::vector<v1::ClientEvent> Received(const ScriptedServer& server, v1::ClientEvent::EventCase kind) {
  EXPECT_TRUE(server.WaitForCalls(1));
  std::vector<v1::ClientEvent> events;
  for (const auto& message : server.received()) {
    if (message.event.event_case() == kind) events.push_back(message.event);
  }
  return events;
}

TEST(ImageTest, SendsFilesAndPixels) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto conversation = OpenOn(server);
  ASSERT_TRUE(conversation->AppendImage(ImageFile{"bytes", "image/png"}).ok());
  ASSERT_TRUE(conversation->AppendImage(Image{.width = 2, .height = 1, .rgb = {1, 2, 3, 4, 5, 6}}).ok());
  ASSERT_TRUE(conversation->FinishInput().ok());
  const auto images = Received(server, v1::ClientEvent::kImageAppend);
  ASSERT_EQ(images.size(), 2u);
  EXPECT_EQ(images[0].image_append().data(), "bytes");
  EXPECT_EQ(images[0].image_append().media_type(), "image/png");
  EXPECT_EQ(images[0].image_append().width(), 0u);
  EXPECT_EQ(images[1].image_append().data(), "\1\2\3\4\5\6");
  EXPECT_EQ(images[1].image_append().media_type(), "image/x-rgb");
  EXPECT_EQ(images[1].image_append().width(), 2u);
  EXPECT_EQ(images[1].image_append().height(), 1u);
}

TEST(ImageTest, SendsVideoFrames) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto conversation = OpenOn(server, {.settings = {.max_video_frames = 3}});
  ASSERT_TRUE(conversation->SendVideoFrame(ImageFile{"bytes", "image/webp"}).ok());
  ASSERT_TRUE(conversation->SendVideoFrame(Image{.width = 1, .height = 2, .rgb = {1, 2, 3, 4, 5, 6}}).ok());
  EXPECT_EQ(conversation->SendVideoFrame(ImageFile{"", "image/png"}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(conversation->SendVideoFrame(Image{.width = 2, .height = 2, .rgb = {1}}).code(),
            StatusCode::kInvalidArgument);
  ASSERT_TRUE(conversation->FinishInput().ok());
  const auto frames = Received(server, v1::ClientEvent::kVideoFrame);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].video_frame().data(), "bytes");
  EXPECT_EQ(frames[0].video_frame().media_type(), "image/webp");
  EXPECT_EQ(frames[1].video_frame().data(), "\1\2\3\4\5\6");
  EXPECT_EQ(frames[1].video_frame().media_type(), "image/x-rgb");
  EXPECT_EQ(frames[1].video_frame().width(), 1u);
  EXPECT_EQ(frames[1].video_frame().height(), 2u);
  EXPECT_EQ(server.received().at(0).event.session_update().config().max_video_frames(), 3u);
}

TEST(ImageTest, RefusesWhatTheServerWould) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto conversation = OpenOn(server);
  for (const std::string& bytes : {std::string(), std::string(3 * 1024 * 1024 + 1, 'x')}) {
    EXPECT_EQ(conversation->AppendImage(ImageFile{bytes, "image/png"}).code(), StatusCode::kInvalidArgument);
  }
  const auto code = [&](int width, int height, size_t bytes) {
    return conversation
        ->AppendImage(Image{.width = width, .height = height, .rgb = std::vector<uint8_t>(bytes)})
        .code();
  };
  EXPECT_EQ(code(0, 0, 0), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(-1, -1, 3), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(8193, 1, 3 * 8193), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(2, 2, 11), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(1024, 1025, 3 * 1024 * 1025), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(1024, 1024, 3 * 1024 * 1024), StatusCode::kOk);
}

TEST(ImageTest, ReportsThePicturesOfAnAnswer) {
  const ScriptedServer server(AfterCreation([](Call& call) {
    call.StartResponse();
    for (int picture = 0; picture < 2; ++picture) {
      call.StartImage();
      call.SendPreview(3, "half");
      call.FinishImage("whole");
    }
    call.SendDone();
  }));
  const auto conversation = OpenOn(server);
  EXPECT_EQ(Next<ResponseStarted>(*conversation).response_id, "response-1");
  for (int picture = 0; picture < 2; ++picture) {
    const auto started = Next<ImageStarted>(*conversation);
    EXPECT_EQ(started.response_id, "response-1");
    EXPECT_EQ(started.image_index, picture);
    EXPECT_EQ(started.width, 64);
    EXPECT_EQ(started.height, 64);
    EXPECT_EQ(started.grid, 8);
    const auto delta = Next<ImageDelta>(*conversation);
    EXPECT_EQ(delta.image_index, picture);
    EXPECT_EQ(delta.rows, 3);
    EXPECT_EQ(delta.preview, "half");
    const auto done = Next<ImageDone>(*conversation);
    EXPECT_EQ(done.response_id, "response-1");
    EXPECT_EQ(done.image_index, picture);
    EXPECT_EQ(done.png, "whole");
  }
  const auto done = Next<ResponseDone>(*conversation);
  EXPECT_EQ(done.usage.output_images, 2);
  EXPECT_EQ(done.ledger.first_image_us, 1'160'000u);
}

// The modalities that each SessionUpdate asks for.
std::vector<std::vector<int>> AskedFor(const ScriptedServer& server) {
  std::vector<std::vector<int>> asked;
  for (const v1::ClientEvent& event : Received(server, v1::ClientEvent::kSessionUpdate)) {
    const auto& modalities = event.session_update().config().output_modalities();
    asked.emplace_back(modalities.begin(), modalities.end());
  }
  return asked;
}

TEST(ImageTest, SpeakingAndDrawingAreChosenApart) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto conversation = OpenOn(server, {.settings = {.draw = true}});
  EXPECT_TRUE(*conversation->session().settings.draw);
  EXPECT_TRUE(*conversation->session().settings.speak);
  ASSERT_TRUE(conversation->Update({.speak = false}).ok());
  ASSERT_TRUE(conversation->Update({.draw = false}).ok());
  ASSERT_TRUE(conversation->Update({.max_response_seconds = 3}).ok());
  ASSERT_TRUE(conversation->FinishInput().ok());
  EXPECT_EQ(AskedFor(server), (std::vector<std::vector<int>>{{1, 2, 3}, {1, 3}, {1}, {}}));
}

TEST(ImageTest, AtTheStartWhatIsUnsetIsTheServersChoice) {
  for (const auto& [speak, asked] : {std::pair{std::optional<bool>(), std::vector<int>{}},
                                     {std::optional(true), {1, 2}},
                                     {std::optional(false), {1}}}) {
    const ScriptedServer server(AfterCreation([](Call&) {}));
    ASSERT_TRUE(OpenOn(server, {.settings = {.speak = speak}})->FinishInput().ok());
    EXPECT_EQ(AskedFor(server), std::vector<std::vector<int>>{asked});
  }
}

TEST(ImageTest, AQuestionMayHavePictures) {
  const ScriptedServer server(testing::AnsweringScript(24000));
  auto conversation = OpenOn(server);
  Answer answer;
  ASSERT_TRUE(
      Ask(*conversation, TypedQuestion{"draw this", {{"a", "image/png"}, {"b", "image/jpeg"}}}, {}, &answer)
          .ok());
  ASSERT_EQ(answer.images.size(), 1u);
  EXPECT_EQ(answer.images[0].width, 64);
  EXPECT_EQ(answer.images[0].height, 64);
  EXPECT_EQ(answer.images[0].png, testing::kPicture);
  ASSERT_TRUE(answer.latency.first_image_ms);
  EXPECT_LE(*answer.latency.first_image_ms, *answer.latency.done_ms);
  EXPECT_EQ(answer.usage.output_images, 1);
  ASSERT_TRUE(Ask(*conversation, TypedQuestion{"", {{"c", "image/webp"}}}, {}, &answer).ok())
      << "no words at all";
  EXPECT_TRUE(answer.images.empty());
  EXPECT_FALSE(answer.latency.first_image_ms);
  EXPECT_EQ(Ask(*conversation, TypedQuestion{}, {}, &answer).code(), StatusCode::kInvalidArgument);
  conversation.reset();
  ASSERT_TRUE(server.WaitForCalls(1));
  std::string order;
  for (const auto& message : server.received()) {
    if (message.event.has_image_append()) order += message.event.image_append().data();
    if (message.event.has_text_append()) order += " text ";
    if (message.event.has_commit()) order += "commit ";
  }
  EXPECT_EQ(order, "ab text commit ccommit ");
}

TEST(ImageTest, APictureThatWasNeverBegunIsDataLoss) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kCommit);
    call.EndTurn("x");
    call.StartResponse();
    call.StartImage();
    call.FinishImage("once");
    call.FinishImage("twice");
    call.ReadUntil(v1::ClientEvent::kClear);
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server);
  Answer answer;
  EXPECT_EQ(Ask(*conversation, TypedQuestion{"x"}, {}, &answer).code(), StatusCode::kDataLoss);
  EXPECT_EQ(answer.images.size(), 1u);
}

}  // namespace
}  // namespace antiphon::client
