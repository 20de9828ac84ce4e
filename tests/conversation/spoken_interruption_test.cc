// A voice during an answer, judged by what the model hears in it: a fork of the sequence listens.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using State = ConversationState;
using server_event::PlaybackPaused;
using server_event::PlaybackResumed;

class SpokenInterruptionTest : public ConversationFixture {
 protected:
  SpokenInterruptionTest() { record_->fork_result = OkStatus(); }

  static constexpr uint64_t kFrame = kRate * 80 / 1000;

  // An answer of which 30 frames of 80 ms have been sent, and 400 ms played.
  void BeginLongAnswer() {
    BeginAnswer();
    for (int i = 0; i < 30; ++i) EngineSpeaks();
    Pause(400);
  }
  SequenceRecord& Fork() { return *record_->forks.back().record; }
  uint64_t ForkTurn() const { return record_->forks.back().options.first_turn; }
  // The fork has run all frames it was given.
  void ForkRuns() {
    if (record_->forks.empty() || Fork().freed) return;
    const size_t frames = Fork().frames.size() - (of_ == record_->forks.size() ? run_ : 0);
    of_ = record_->forks.size();
    run_ = Fork().frames.size();
    if (frames > 0) Engine(ForkTurn(), RoomForFrames{static_cast<int>(frames)});
  }
  void ForkHears(const std::string& text) { Engine(ForkTurn(), TranscriptDelta{text}); }
  void ForkEndsTurn() {
    Engine(ForkTurn(), TurnEnded{TurnEndCause::kModel, "", 3, 0, 0, 0, clock_.Now()});
    Engine(ForkTurn(), ResponseDone{ResponseEnd::kCancelled, {}, 0, 0, 0, 60});
  }
  // Into the microphone, with a fork that keeps up.
  void Say(const std::vector<float>& samples) {
    const size_t packet = static_cast<size_t>(kRate * kPacketMs / 1000);
    for (size_t begin = 0; begin + packet <= samples.size(); begin += packet) {
      Microphone({samples.begin() + static_cast<std::ptrdiff_t>(begin),
                  samples.begin() + static_cast<std::ptrdiff_t>(begin + packet)});
      ForkRuns();
    }
  }
  void SayVoice(int ms) { Say(Voice(ms, kRate)); }
  // With the gaps that speech has: what goes on without one for seconds is no voice.
  void SaySyllables(int count) {
    for (int i = 0; i < count; ++i) {
      SayVoice(260);
      SayNothing(40);
    }
  }
  void SayNothing(int ms) { Say(std::vector<float>(static_cast<size_t>(kRate * ms / 1000))); }

  void ExpectResumed() {
    EXPECT_EQ(One<PlaybackResumed>().played_samples, One<PlaybackPaused>().played_samples);
    EXPECT_TRUE(record_->cuts.empty());
    EXPECT_TRUE(record_->frames.empty()) << "the session's own sequence has heard nothing of it";
    EXPECT_TRUE(All<server_event::TranscriptDelta>().empty());
    EXPECT_TRUE(Fork().freed);
    EXPECT_EQ(state(), State::kResponding);
  }
  void ExpectCut() {
    EXPECT_EQ(record_->cuts.size(), 1u);
    EXPECT_TRUE(All<PlaybackResumed>().empty());
    EXPECT_TRUE(Fork().freed);
    EXPECT_EQ(state(), State::kCancelling);
  }

 private:
  size_t of_ = 0;   // the fork that run_ counts of
  size_t run_ = 0;  // frames
};

TEST_F(SpokenInterruptionTest, AForkListensFromWhereTheUserStoppedHearing) {
  BeginLongAnswer();
  SayVoice(200);
  ASSERT_EQ(record_->forks.size(), 1u);
  const ForkOptions& options = record_->forks[0].options;
  EXPECT_EQ(options.heard_frames, static_cast<int>(One<PlaybackPaused>().played_samples / kFrame));
  EXPECT_FALSE(options.answers);
  EXPECT_FALSE(Fork().frames.empty());
  EXPECT_TRUE(record_->frames.empty());
  EXPECT_EQ(state(), State::kResponding);
}

TEST_F(SpokenInterruptionTest, AStopWordThatEndsTheTurnCutsHoweverShort) {
  BeginLongAnswer();
  SayVoice(250);
  ForkHears("stop");
  EXPECT_TRUE(record_->cuts.empty()) << "there may be more of the word";
  const size_t frames = Fork().frames.size();
  ForkEndsTurn();
  ExpectCut();
  EXPECT_TRUE(record_->frames.empty()) << "the response has yet to stop";
  Engine(1, ResponseCut{record_->cuts.back(), "paris is"});
  EngineIsDone(1, ResponseEnd::kCancelled);
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(record_->frames.size(), frames) << "it hears what the fork has heard";
  EXPECT_EQ(All<server_event::ResponseInterrupted>().size(), 1u);
  EXPECT_EQ(All<server_event::SpeechStarted>().size(), 1u);
}

TEST_F(SpokenInterruptionTest, AStopWordIsCompleteWhenTheVoiceHasStopped) {
  BeginLongAnswer();
  SayVoice(250);
  ForkHears("stop");
  SayNothing(200);
  EXPECT_TRUE(record_->cuts.empty());
  SayNothing(200);
  ExpectCut();
}

TEST_F(SpokenInterruptionTest, ACompleteStopWordCutsAtOnce) {
  BeginLongAnswer();
  SayVoice(300);
  ForkHears("no");
  EXPECT_TRUE(record_->cuts.empty());
  ForkHears(" I");
  ExpectCut();
}

TEST_F(SpokenInterruptionTest, AnyWordThatEndsTheTurnCutsHoweverShort) {
  BeginLongAnswer();
  SayVoice(300);
  ForkHears("never mind");
  EXPECT_TRUE(record_->cuts.empty());
  ForkEndsTurn();
  ExpectCut();
}

// As of a hum, in which the model hears something, but no question.
TEST_F(SpokenInterruptionTest, AWordInAShortVoiceThatEndsNoTurnDoesNot) {
  BeginLongAnswer();
  SayVoice(350);
  ForkHears("what does");
  SayNothing(500);
  ExpectResumed();
}

TEST_F(SpokenInterruptionTest, BackchannelsLetItGoOn) {
  for (const std::string words : {"mhm", "uh huh", "uh-huh", "yeah", "okay", "oh okay yeah"}) {
    SCOPED_TRACE(words);
    BeginLongAnswer();
    SayVoice(400);
    ForkHears(words);
    ForkEndsTurn();
    EXPECT_TRUE(All<PlaybackResumed>().empty()) << "the voice may go on";
    SayNothing(500);
    ExpectResumed();
    EngineIsDone();
    SayNothing(4000);  // the answer has been played
    events_.clear();
  }
}

TEST_F(SpokenInterruptionTest, ABackchannelBeforeAWordDoesNotSaveIt) {
  BeginLongAnswer();
  SayVoice(300);
  ForkHears("yeah");
  ForkEndsTurn();
  SayVoice(100);
  ForkHears("but");
  EXPECT_TRUE(record_->cuts.empty()) << "it is still being written";
  SayVoice(200);  // half a second
  ExpectCut();
}

TEST_F(SpokenInterruptionTest, AVoiceWithoutWordsIsNothingHoweverLong) {
  BeginLongAnswer();
  SayVoice(1200);
  EXPECT_TRUE(record_->cuts.empty());
  SayNothing(500);
  ExpectResumed();
}

TEST_F(SpokenInterruptionTest, ButTwoSecondsAreATurn) {
  BeginLongAnswer();
  SaySyllables(6);  // 1.8 s
  EXPECT_TRUE(record_->cuts.empty());
  SaySyllables(2);
  ExpectCut();
}

TEST_F(SpokenInterruptionTest, OrAsLongAsTheClientWantsItIfThatIsLonger) {
  Client(client_event::SessionUpdate{{.interruption = {{2, 3000}}}});
  BeginLongAnswer();
  SaySyllables(8);  // 2.4 s
  EXPECT_TRUE(record_->cuts.empty());
  SaySyllables(3);
  ExpectCut();
}

TEST_F(SpokenInterruptionTest, FromMinVoiceOnAWordNeedNotBeComplete) {
  BeginLongAnswer();
  SayVoice(600);
  ForkHears("m");
  EXPECT_TRUE(record_->cuts.empty()) << "mhm?";
  ForkHears("onday");
  ExpectCut();
}

TEST_F(SpokenInterruptionTest, WithoutAForkTheSoundDecides) {
  record_->fork_result = ResourceExhausted("the sequence has a fork");
  BeginLongAnswer();
  Speak(700);
  EXPECT_EQ(record_->cuts.size(), 1u);
  EXPECT_EQ(state(), State::kCancelling);
}

TEST_F(SpokenInterruptionTest, AServerMayJudgeBySoundAlone) {
  ConversationOptions options;
  options.words_interrupt = false;
  auto made = Conversation::Create(options, TestModel(), std::make_unique<RecordingSequence>(record_),
                                   ImagePainter{}, clock_, *this);
  ASSERT_TRUE(made.ok());
  conversation_ = std::move(*made);
  conversation_->Start();
  BeginLongAnswer();
  Speak(700);
  EXPECT_TRUE(record_->forks.empty());
  EXPECT_EQ(record_->cuts.size(), 1u);
}

TEST_F(SpokenInterruptionTest, WhenTheForkIsLostTheSoundDecides) {
  BeginLongAnswer();
  SayVoice(300);
  Engine(ForkTurn() - 1, InputRefused{ResourceExhausted("gave way")});
  EXPECT_TRUE(Fork().freed);
  EXPECT_TRUE(record_->cuts.empty());
  Speak(400);
  EXPECT_EQ(record_->cuts.size(), 1u);
}

TEST_F(SpokenInterruptionTest, AForkThatIsBehindIsWaitedForAndNotForEver) {
  BeginLongAnswer();
  Speak(250);
  Pause(700);
  EXPECT_TRUE(All<PlaybackResumed>().empty());
  ForkRuns();
  ExpectResumed();

  SayNothing(100);
  Speak(250);
  ASSERT_EQ(record_->forks.size(), 2u);
  Pause(1300);
  EXPECT_EQ(All<PlaybackResumed>().size(), 1u);
  Pause(300);
  EXPECT_EQ(All<PlaybackResumed>().size(), 2u);
  EXPECT_TRUE(record_->cuts.empty());
}

TEST_F(SpokenInterruptionTest, FramesWaitForAForkWithoutRoom) {
  BeginLongAnswer();
  SayVoice(120);
  ASSERT_EQ(record_->forks.size(), 1u);
  Fork().room = 1;
  Speak(200);
  const size_t taken = Fork().frames.size();
  Speak(100);
  EXPECT_EQ(Fork().frames.size(), taken);
  Fork().room = 100;
  ForkRuns();
  EXPECT_GT(Fork().frames.size(), taken);
}

TEST_F(SpokenInterruptionTest, WhatAnEarlierForkHeardIsForgotten) {
  BeginLongAnswer();
  SayVoice(250);
  SayNothing(500);
  ASSERT_EQ(All<PlaybackResumed>().size(), 1u);
  const uint64_t earlier = ForkTurn();
  Engine(earlier, TranscriptDelta{"what is"});
  SayVoice(250);
  ASSERT_EQ(record_->forks.size(), 2u);
  EXPECT_NE(ForkTurn(), earlier);
  Engine(earlier, TranscriptDelta{"what is"});
  EXPECT_TRUE(record_->cuts.empty());
  EXPECT_TRUE(All<server_event::TranscriptDelta>().empty());
}

TEST_F(SpokenInterruptionTest, AnAnswerThatIsMadeAlreadyIsJudgedAlike) {
  BeginLongAnswer();
  EngineIsDone();
  SayVoice(250);
  ASSERT_EQ(record_->forks.size(), 1u);
  ForkHears("stop");
  ForkEndsTurn();
  EXPECT_EQ(record_->cuts.size(), 1u);
  EXPECT_TRUE(Fork().freed);
  EXPECT_EQ(state(), State::kHearing) << "there is nothing to wait for";
}

TEST_F(SpokenInterruptionTest, ACancelSettlesIt) {
  BeginLongAnswer();
  SayVoice(250);
  Client(client_event::Cancel{});
  ExpectCut();
}

TEST_F(SpokenInterruptionTest, EagerNeedsNoFork) {
  Client(client_event::SessionUpdate{{.interruption = {{3, 0}}}});
  BeginLongAnswer();
  Speak(120);
  EXPECT_TRUE(record_->forks.empty());
  EXPECT_EQ(record_->cuts.size(), 1u);
}

}  // namespace
}  // namespace antiphon
