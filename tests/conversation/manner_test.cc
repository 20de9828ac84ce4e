// Voice and speed of a session: chosen by the client, or by the user's asking the model.
#include <gtest/gtest.h>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

constexpr int kSlow = 1, kFast = 3;

ModelDescription TestModelOfManners() {
  ModelDescription model = TestModel();
  model.manners = true;
  return model;
}

class MannerTest : public ConversationFixture {
 protected:
  explicit MannerTest(const ModelDescription& model = TestModelOfManners()) : ConversationFixture(model) {}

  void Update(const ConfigUpdate& update) { Client(client_event::SessionUpdate{update}); }
};

class NoMannerTest : public MannerTest {
 protected:
  NoMannerTest() : MannerTest(TestModel()) {}
};

TEST_F(MannerTest, TheClientChooses) {
  EXPECT_EQ(record_->options.back().manner, SpeechManner{});
  Update({.voice = "low"});
  EXPECT_EQ(One<server_event::SessionUpdated>().config.manner.voice, SpeechVoice::kLow);
  Update({.speed = kSlow});
  const SpeechManner low_and_slow{SpeechVoice::kLow, SpeechSpeed::kSlow};
  EXPECT_EQ(All<server_event::SessionUpdated>().back().config.manner, low_and_slow);
  EXPECT_EQ(record_->options.back().manner, low_and_slow);
  Update({.max_response_seconds = 10});  // what is unset stays
  EXPECT_EQ(record_->options.back().manner, low_and_slow);
}

TEST_F(MannerTest, AVoiceThatIsNoneIsNamedWithTheChoices) {
  Update({.voice = "deep", .speed = kFast});
  ExpectError(StatusCode::kInvalidArgument, "session_update.config.voice", "\"own\" or \"low\"");
  EXPECT_EQ(record_->options.back().manner, SpeechManner{}) << "nothing is applied in part";
}

TEST_F(MannerTest, TheModelChoosesForTheNextResponses) {
  BeginAnswer();
  const size_t configured = record_->options.size();
  Engine(1, ResponseText{"okay", clock_.Now()});
  Engine(1, MannerChosen{std::nullopt, SpeechSpeed::kFast, clock_.Now()});
  ASSERT_EQ(record_->options.size(), configured + 1);
  EXPECT_EQ(record_->options.back().manner, (SpeechManner{SpeechVoice::kOwn, SpeechSpeed::kFast}));
  Engine(1, MannerChosen{SpeechVoice::kLow, std::nullopt, clock_.Now()});
  EngineIsDone();
  const SpeechManner low_and_fast{SpeechVoice::kLow, SpeechSpeed::kFast};
  EXPECT_EQ(record_->options.back().manner, low_and_fast);
  const auto told = All<server_event::SessionUpdated>();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].config.manner, (SpeechManner{SpeechVoice::kOwn, SpeechSpeed::kFast}));
  EXPECT_EQ(told[1].config.manner, low_and_fast);
  Update({.voice = "own"});  // the client's later word counts
  EXPECT_EQ(record_->options.back().manner, (SpeechManner{SpeechVoice::kOwn, SpeechSpeed::kFast}));
}

TEST_F(MannerTest, AChoiceOfACancelledAnswerIsNone) {
  BeginAnswer();
  Client(client_event::Cancel{});
  Engine(1, MannerChosen{std::nullopt, SpeechSpeed::kFast, clock_.Now()});
  EngineIsDone(1, ResponseEnd::kCancelled);
  Engine(1, MannerChosen{SpeechVoice::kLow, std::nullopt, clock_.Now()});  // late
  EXPECT_TRUE(All<server_event::SessionUpdated>().empty());
  EXPECT_EQ(record_->options.back().manner, SpeechManner{});
}

TEST_F(MannerTest, TheLongestResponseIsAsLongAtEverySpeed) {
  const auto frames = [&](int speed) {
    Update({.max_response_seconds = 60, .speed = speed});
    return record_->options.back().max_response_frames;
  };
  EXPECT_EQ(frames(kSlow), 600);  // of 100 ms
  EXPECT_EQ(frames(2), 750);      // of 80 ms
  EXPECT_EQ(frames(kFast), 937);  // of 64 ms
}

// What is sent, when playback is, and the offsets count samples, whatever a frame has of them.
TEST_F(MannerTest, SamplesAreCountedAsTheyAre) {
  Update({.output_audio = AudioFormatUpdate{1, 16000}, .speed = kFast});
  BeginAnswer();
  const auto say = [&] { Engine(1, ResponseAudio{std::vector<float>(1024, 0.25f), clock_.Now()}); };
  say();
  Advance(60);
  say();
  Advance(60);
  say();
  Advance(80);  // 200 ms after the first: all 192 ms have been played
  say();
  EngineIsDone();
  uint64_t sent = 0;
  for (const auto& delta : All<server_event::AudioDelta>()) {
    EXPECT_EQ(delta.first_sample, sent);
    sent += delta.audio.size() / 2;
  }
  EXPECT_EQ(sent, 4u * 1024u);
  const auto ledger = One<server_event::ResponseDone>().ledger;
  EXPECT_EQ(ledger.underruns, 1);
  EXPECT_EQ(ledger.least_margin_ms, 0);
}

TEST_F(NoMannerTest, AModelOfOneMannerRefusesTheOthers) {
  Update({.voice = "low"});
  ExpectError(StatusCode::kInvalidArgument, "session_update.config.voice", "must be \"own\"");
  Update({.speed = kFast});
  ExpectError(StatusCode::kUnimplemented, "session_update.config.speed", "no other speed");
  Update({.voice = "own", .speed = 2});
  EXPECT_EQ(One<server_event::SessionUpdated>().config.manner, SpeechManner{});
}

}  // namespace
}  // namespace antiphon
