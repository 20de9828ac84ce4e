// Turns with pictures in them, and answers with pictures in them.
#include <gtest/gtest.h>

#include "media/image.h"
#include "tests/conversation/conversation_fixture.h"
#include "tests/media/pictures.h"

namespace antiphon {
namespace {

using State = ConversationState;
using server_event::ImageDelta;
using server_event::ImageDone;
using server_event::ImageStarted;

client_event::ImageAppend Picture() { return {EncodePng(Sample()).value(), "image/png"}; }

class ImageTurnTest : public ConversationFixture {
 protected:
  ImageTurnTest() : ConversationFixture(TestModelOfPictures()) {}

  void PaintAll() {
    while (conversation_->wants_to_paint()) conversation_->Paint();
  }
  Image Decoded(const std::string& png) { return DecodeImage(png, "image/png").value(); }
};

TEST_F(ImageTurnTest, APictureAloneIsATurn) {
  Advance(10);
  Client(Picture());
  EXPECT_EQ(state(), State::kTyping);
  ASSERT_EQ(record_->images.size(), 1u);
  EXPECT_EQ(record_->images[0], Sample());
  Client(client_event::Commit{});
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
  EngineAnswers(1, TurnEndCause::kCommit);
  EngineIsDone();
  const auto done = One<server_event::ResponseDone>();
  EXPECT_EQ(done.usage.input_images, 1);
  EXPECT_EQ(done.usage.output_images, 1);
  EXPECT_EQ(done.ledger.first_image_us, 0u);
}

TEST_F(ImageTurnTest, PicturesMixWithTextAndSpeech) {
  Client(client_event::TextAppend{"look"});
  Client(Picture());
  Speak(500);
  Client(Picture());
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(record_->images.size(), 2u);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(ImageTurnTest, AVoiceThatWasNoiseLeavesThePicture) {
  Client(Picture());
  Speak(400);
  Pause(2500);
  EXPECT_EQ(state(), State::kTyping);
  EXPECT_EQ(record_->clears, 0);
}

TEST_F(ImageTurnTest, ATurnHasEightPicturesAtMost) {
  for (int i = 0; i < 8; ++i) Client(Picture());
  events_.clear();
  Client(Picture());
  ExpectError(StatusCode::kResourceExhausted, "image_append.data", "8 pictures");
  EXPECT_EQ(record_->images.size(), 8u);
  Client(client_event::Clear{});
  Client(Picture());
  EXPECT_TRUE(All<server_event::Error>().empty()) << "the next turn has room for eight";
}

TEST_F(ImageTurnTest, AMistakeChangesNothing) {
  events_.clear();
  Client(client_event::ImageAppend{"no picture", "image/png"}, "mine");
  EXPECT_EQ(One<server_event::Error>().event_id, "mine");
  ExpectError(StatusCode::kInvalidArgument, "image_append.data", "not PNG");
  EXPECT_EQ(state(), State::kWaiting);
  record_->append_result = InvalidArgument("too flat");
  Client(Picture());
  ExpectError(StatusCode::kInvalidArgument, "image_append.data", "too flat");
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(ImageTurnTest, NoPictureDuringAResponse) {
  BeginAnswer();
  events_.clear();
  Client(Picture());
  ExpectError(StatusCode::kFailedPrecondition, "", "under way");
  EXPECT_TRUE(record_->images.empty());
}

TEST_F(ImageTurnTest, ClearForgetsPictures) {
  Client(Picture());
  Client(client_event::Clear{});
  EXPECT_EQ(record_->clears, 1);
  EXPECT_EQ(state(), State::kWaiting);
  events_.clear();
  Client(client_event::Commit{});
  ExpectError(StatusCode::kFailedPrecondition, "", "no picture");
}

TEST_F(ImageTurnTest, APictureTheContextHasNoRoomForLosesTheTurn) {
  Client(Picture());
  events_.clear();
  Engine(0, InputRefused{ResourceExhausted("the context is full")});
  ExpectError(StatusCode::kResourceExhausted, "image_append.data", "the turn is cleared");
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(ImageTurnTest, APictureThatCameAfterTheModelEndedTheTurnBeginsTheNext) {
  Speak(500);
  Client(Picture());
  Engine(1, TurnEnded{TurnEndCause::kModel, "what was heard", 7, 0, 0, 0, clock_.Now()});
  EngineIsDone(1);
  EXPECT_EQ(state(), State::kTyping) << "the engine has the picture already";
  for (int i = 0; i < 7; ++i) Client(Picture());
  events_.clear();
  Client(Picture());
  ExpectError(StatusCode::kResourceExhausted, "image_append.data", "8 pictures");
}

TEST_F(ImageTurnTest, APictureIsShownRowByRow) {
  BeginAnswer();
  Advance(10);
  EngineDraws(0);
  const auto started = One<ImageStarted>();
  EXPECT_EQ(started.response_id, "response-1");
  EXPECT_EQ(started.image_index, 0);
  EXPECT_EQ(started.width, 6);
  EXPECT_EQ(started.height, 6);
  EXPECT_EQ(started.grid, 3);
  EXPECT_FALSE(conversation_->wants_to_paint());
  for (const int rows : {1, 2}) {
    EngineDraws(3 * rows);
    EXPECT_TRUE(conversation_->wants_to_paint());
    PaintAll();
  }
  const TimePoint first = clock_.Now();
  Advance(10);
  EngineDraws(9);
  PaintAll();
  const auto deltas = All<ImageDelta>();
  ASSERT_EQ(deltas.size(), 2u);
  for (const int rows : {1, 2}) {
    const ImageDelta& delta = deltas[static_cast<size_t>(rows - 1)];
    EXPECT_EQ(delta.rows, rows);
    EXPECT_EQ(Decoded(delta.preview), PaintingOf(static_cast<size_t>(3 * rows)));
  }
  EXPECT_EQ(Decoded(One<ImageDone>().png), PaintingOf(9));
  EngineDraws(9);  // told twice
  EXPECT_FALSE(conversation_->wants_to_paint());
  EngineIsDone();
  EXPECT_EQ(One<server_event::ResponseDone>().ledger.first_image_us, Micros(first));
  EXPECT_EQ(All<ImageStarted>().size(), 1u);
}

TEST_F(ImageTurnTest, AMachineThatIsBehindPaintsTheNewestRowAndTheWholePicture) {
  BeginAnswer();
  for (const int codes : {0, 3, 6}) EngineDraws(codes);
  EngineSpeaks();
  PaintAll();
  EXPECT_EQ(One<ImageDelta>().rows, 2);
  events_.clear();
  EngineDraws(9);
  EngineSpeaks();
  EXPECT_TRUE(std::holds_alternative<server_event::AudioDelta>(events_.front())) << "speech does not wait";
  EngineIsDone();  // before anything was painted
  ASSERT_GE(events_.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<ImageDone>(events_[events_.size() - 2])) << "before ResponseDone";
  EXPECT_EQ(Decoded(One<ImageDone>().png), PaintingOf(9));
}

TEST_F(ImageTurnTest, PicturesAreNumbered) {
  BeginAnswer();
  for (const int index : {0, 1}) {
    for (const int codes : {0, 3, 6, 9}) EngineDraws(codes, index);
  }
  EngineIsDone();
  ASSERT_EQ(All<ImageStarted>().size(), 2u);
  ASSERT_EQ(All<ImageDone>().size(), 2u);
  for (const int index : {0, 1}) {
    EXPECT_EQ(All<ImageStarted>()[static_cast<size_t>(index)].image_index, index);
    EXPECT_EQ(All<ImageDone>()[static_cast<size_t>(index)].image_index, index);
  }
}

TEST_F(ImageTurnTest, APictureCutOffByALimitIsShownAsFarAsItIs) {
  BeginAnswer();
  EngineDraws(0);
  EngineDraws(6);
  EngineIsDone(1, ResponseEnd::kIncomplete);
  EXPECT_EQ(One<ImageDelta>().rows, 2);
  EXPECT_TRUE(All<ImageDone>().empty());
}

TEST_F(ImageTurnTest, CancelForgetsWhatIsNotPainted) {
  BeginAnswer();
  EngineDraws(0);
  EngineDraws(3);
  Client(client_event::Cancel{});
  EXPECT_FALSE(conversation_->wants_to_paint());
  EXPECT_EQ(media_dropped_, std::vector<std::string>{"response-1"});
  EngineDraws(6);
  EngineDraws(9);
  EXPECT_FALSE(conversation_->wants_to_paint());
  EngineIsDone();
  EXPECT_TRUE(All<ImageDelta>().empty());
  EXPECT_TRUE(All<ImageDone>().empty());
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kCancelled);
}

TEST_F(ImageTurnTest, APictureThatCannotBePaintedFailsTheResponse) {
  for (const bool at_the_end : {false, true}) {
    SCOPED_TRACE(at_the_end);
    paint_result_ = Internal("out of paint");
    BeginAnswer();
    EngineDraws(9);
    if (!at_the_end) {
      conversation_->Paint();
      EXPECT_EQ(state(), State::kCancelling);
      EXPECT_EQ(record_->cuts.size(), 1u);
    }
    EngineIsDone();
    EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kFailed);
    ExpectError(StatusCode::kInternal, "", "out of paint");
    EXPECT_EQ(state(), State::kWaiting);
  }
}

TEST_F(ImageTurnTest, APictureThatCannotBePaintedDoesNotSilenceTheSpeech) {
  Client(client_event::SessionUpdate{{.output_audio = {{1, 16000}}, .max_lead_ms = 400}});
  paint_result_ = Internal("out of paint");
  BeginAnswer();
  for (int i = 0; i < 10; ++i) EngineSpeaks();
  EngineDraws(9);
  EngineIsDone();
  EXPECT_EQ(All<server_event::AudioDelta>().size(), 5u) << "the rest waits for its time";
  EXPECT_FALSE(conversation_->wants_to_paint());
  for (int i = 0; i < 5; ++i) {
    clock_.SleepUntil(conversation_->speech_due());
    conversation_->Tick();
  }
  EXPECT_EQ(All<server_event::AudioDelta>().size(), 10u);
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kFailed);
  ExpectError(StatusCode::kInternal, "", "out of paint");
}

TEST_F(ImageTurnTest, PicturesDoNotWaitForTheSpeech) {
  Client(client_event::SessionUpdate{{.output_audio = {{1, 16000}}, .max_lead_ms = 400}});
  BeginAnswer();
  for (int i = 0; i < 10; ++i) EngineSpeaks();
  EngineDraws(9);
  PaintAll();
  EXPECT_EQ(All<ImageDone>().size(), 1u);
  EXPECT_EQ(All<server_event::AudioDelta>().size(), 5u);
}

TEST_F(ImageTurnTest, DrawsOnlyIfAskedTo) {
  EXPECT_TRUE(One<server_event::SessionCreated>().config.draw);
  EXPECT_EQ(record_->options.back().max_response_images, 1);
  Client(client_event::SessionUpdate{{.output_modalities = {1, 2}}});
  EXPECT_EQ(record_->options.back().max_response_images, 0);
  BeginAnswer();
  EngineDraws(0);
  EngineDraws(9);
  EngineIsDone();
  EXPECT_TRUE(All<ImageStarted>().empty());
  EXPECT_TRUE(All<ImageDone>().empty());
}

class NoImageTurnTest : public ConversationFixture {};

TEST_F(NoImageTurnTest, AModelWithoutPicturesRefusesThem) {
  EXPECT_FALSE(One<server_event::SessionCreated>().config.draw);
  EXPECT_EQ(record_->options.back().max_response_images, 0);
  events_.clear();
  Client(Picture());
  ExpectError(StatusCode::kUnimplemented, "image_append", "no pictures");
  Client(client_event::SessionUpdate{{.output_modalities = {1, 2, 3}}});
  ExpectError(StatusCode::kUnimplemented, "session_update.config.output_modalities", "MODALITY_IMAGE");
  EXPECT_EQ(state(), State::kWaiting);
}

}  // namespace
}  // namespace antiphon
