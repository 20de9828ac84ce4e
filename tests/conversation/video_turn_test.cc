// Video frames in a conversation: how many are taken, where they wait, and what they are worth.
#include <gtest/gtest.h>

#include <string>

#include "media/image.h"
#include "tests/conversation/conversation_fixture.h"
#include "tests/media/pictures.h"

namespace antiphon {
namespace {

using State = ConversationState;

constexpr int kSide = 6;  // of TestModelOfPictures

// A picture of one grey, the size of the model's.
Image Grey(int level) {
  return {.width = kSide,
          .height = kSide,
          .rgb = std::vector<uint8_t>(3 * kSide * kSide, static_cast<uint8_t>(level))};
}

client_event::VideoFrame Frame(int level) {
  const Image image = Grey(level);
  return {{{image.rgb.begin(), image.rgb.end()}, "image/x-rgb", kSide, kSide}};
}

class VideoTurnTest : public ConversationFixture {
 protected:
  VideoTurnTest() : ConversationFixture(TestModelOfPictures()) { events_.clear(); }

  // A frame, 200 ms after the one before.
  void Film(int level) {
    Advance(200);
    Client(Frame(level));
  }
  void ExpectShown(const std::vector<int>& levels) {
    ASSERT_EQ(record_->video.size(), levels.size());
    for (size_t i = 0; i < levels.size(); ++i) EXPECT_EQ(record_->video[i], Grey(levels[i])) << i;
  }
};

TEST_F(VideoTurnTest, FramesWaitForATurnAndTheNewestGoIntoIt) {
  for (const int level : {1, 2, 3}) Film(level);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_TRUE(record_->video.empty());
  Client(client_event::TextAppend{"what do you see"});
  ExpectShown({2, 3});
  EXPECT_EQ(record_->texts_at_video, 0u) << "before the words";
  Film(4);
  ExpectShown({2, 3, 4});
  Client(client_event::Commit{});
  Engine(1, TurnEnded{.cause = TurnEndCause::kCommit,
                      .transcript = "what do you see",
                      .texts = 1,
                      .at = clock_.Now(),
                      .video_frames = 3});
  EngineIsDone();
  const auto usage = One<server_event::ResponseDone>().usage;
  EXPECT_EQ(usage.input_video_frames, 3);
  EXPECT_EQ(usage.dropped_video_frames, 1);
  EXPECT_EQ(usage.input_images, 0);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(VideoTurnTest, FramesGoInWhenAVoiceSetsInAndWhilePicturesAreShown) {
  Film(1);
  Speak(500);
  EXPECT_EQ(state(), State::kHearing);
  ExpectShown({1});
  EXPECT_EQ(record_->frames_at_video, 0u) << "before what is heard";
  Film(2);
  ExpectShown({1, 2});
  Client(client_event::Clear{});
  Film(3);
  ExpectShown({1, 2});
  Client(client_event::ImageAppend{EncodePng(Sample()).value(), "image/png"});
  ExpectShown({1, 2, 3});
}

TEST_F(VideoTurnTest, FramesOfEverySizeBecomeTheModels) {
  Client(client_event::TextAppend{"look"});
  Client(client_event::VideoFrame{{JpegOf(Sample(40, 24)), "image/jpeg"}});
  ASSERT_EQ(record_->video.size(), 1u);
  EXPECT_EQ(record_->video[0].width, kSide);
  EXPECT_EQ(record_->video[0].height, kSide);
}

TEST_F(VideoTurnTest, FramesAloneAreNoTurn) {
  Film(1);
  Client(client_event::Commit{});
  ExpectError(StatusCode::kFailedPrecondition, "", "the turn is empty");
  EXPECT_TRUE(record_->ends.empty());
  Client(client_event::TextAppend{"look"});
  ExpectShown({1});
}

TEST_F(VideoTurnTest, FramesDuringAResponseAreForTheNextTurn) {
  BeginAnswer();
  for (const int level : {1, 2, 3}) Film(level);
  EXPECT_EQ(state(), State::kResponding);
  EXPECT_TRUE(record_->video.empty());
  EXPECT_TRUE(All<server_event::Error>().empty());
  Client(client_event::Cancel{});
  Film(4);
  EngineIsDone();
  EXPECT_TRUE(record_->video.empty());
  Client(client_event::TextAppend{"and now"});
  ExpectShown({3, 4});
}

TEST_F(VideoTurnTest, ATurnThatWaitedBehindTheAnswerGetsItsFramesToo) {
  Speak(500);
  Client(client_event::TextAppend{"too late"});
  Engine(1, TurnEnded{.cause = TurnEndCause::kModel, .transcript = "what was heard", .at = clock_.Now()});
  Film(1);
  EngineIsDone(1);
  EXPECT_EQ(state(), State::kTyping);
  ExpectShown({1});
}

TEST_F(VideoTurnTest, AVoiceThatWasNoiseIsForgottenWithoutTheFrames) {
  Film(1);
  Speak(400);
  Pause(2500);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(record_->clears, 1) << "the engine shows the frame again: its promise";
  ExpectShown({1});
}

TEST_F(VideoTurnTest, FiveASecondAreTakenForEver) {
  Client(client_event::TextAppend{"look"});
  for (int i = 0; i < 600; ++i) {
    Advance(i % 100 == 0 ? 180 : 200);  // a clock that runs a little fast
    Client(Frame(i % 200));
  }
  EXPECT_TRUE(All<server_event::Error>().empty());
  EXPECT_EQ(record_->video.size(), 600u);
}

TEST_F(VideoTurnTest, ABurstIsTakenAndMoreIsRefused) {
  Client(client_event::TextAppend{"look"});
  for (int i = 0; i < 5; ++i) Client(Frame(i));
  EXPECT_TRUE(All<server_event::Error>().empty());
  Client(Frame(5), "too soon");
  EXPECT_EQ(One<server_event::Error>().event_id, "too soon");
  ExpectError(StatusCode::kResourceExhausted, "video_frame", "5 a second");
  EXPECT_EQ(record_->video.size(), 5u);
  Film(6);
  EXPECT_EQ(record_->video.size(), 6u);
  Client(Frame(7));
  ExpectError(StatusCode::kResourceExhausted, "video_frame", "5 a second");
  EXPECT_EQ(state(), State::kTyping) << "the session goes on";
}

TEST_F(VideoTurnTest, SixASecondAreTooMany) {
  int taken = 0;
  for (int i = 0; i < 600; ++i) {
    if (i % 3 == 0) Advance(500);  // 6 a second
    const size_t errors = All<server_event::Error>().size();
    Client(Frame(1));
    taken += All<server_event::Error>().size() == errors ? 1 : 0;
  }
  EXPECT_GE(taken, 500);
  EXPECT_LE(taken, 516);
}

TEST_F(VideoTurnTest, AMistakeIsNamedAndChangesNothing) {
  Client(client_event::VideoFrame{{"no picture", "image/png"}}, "mine");
  EXPECT_EQ(One<server_event::Error>().event_id, "mine");
  ExpectError(StatusCode::kInvalidArgument, "video_frame.data", "not PNG");
  EXPECT_EQ(state(), State::kWaiting);
  Client(client_event::TextAppend{"look"});
  EXPECT_TRUE(record_->video.empty());
  record_->append_result = ResourceExhausted("too much waits");
  Film(1);
  ExpectError(StatusCode::kResourceExhausted, "video_frame.data", "too much waits");
}

TEST_F(VideoTurnTest, HeldFramesThatTheEngineRefusesAreCounted) {
  Film(1);
  record_->append_result = ResourceExhausted("too much waits");
  Client(client_event::TextAppend{"look"});
  record_->append_result = OkStatus();
  BeginAnswer();
  EngineIsDone();
  EXPECT_EQ(One<server_event::ResponseDone>().usage.dropped_video_frames, 1);
}

TEST_F(VideoTurnTest, TheSessionSaysHowManyStay) {
  EXPECT_EQ(record_->options.back().max_video_frames, 2);
  Client(client_event::SessionUpdate{{.max_video_frames = 4}});
  EXPECT_EQ(One<server_event::SessionUpdated>().config.max_video_frames, 4);
  EXPECT_EQ(record_->options.back().max_video_frames, 4);
  for (const int level : {1, 2, 3, 4, 5}) Film(level);
  Client(client_event::TextAppend{"look"});
  ExpectShown({2, 3, 4, 5});
  events_.clear();
  Client(client_event::SessionUpdate{{.max_video_frames = 9}});
  ExpectError(StatusCode::kInvalidArgument, "session_update.config.max_video_frames", "1 to 8");
}

class NoVideoTurnTest : public ConversationFixture {};

TEST_F(NoVideoTurnTest, AModelWithoutPicturesSaysSo) {
  events_.clear();
  Client(Frame(1));
  ExpectError(StatusCode::kUnimplemented, "video_frame", "no pictures");
}

}  // namespace
}  // namespace antiphon
