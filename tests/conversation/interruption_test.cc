// The user's voice during an answer: what pauses it, what cuts it, what it goes on after.
#include <gtest/gtest.h>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using State = ConversationState;
using server_event::PlaybackPaused;
using server_event::PlaybackResumed;
using server_event::ResponseInterrupted;

class InterruptionTest : public ConversationFixture {
 protected:
  void Policy(int policy, uint32_t min_voice_ms = 0) {
    Client(client_event::SessionUpdate{{.interruption = {{policy, min_voice_ms}}}});
  }
  // An answer of which so many frames of 80 ms have been sent, at once.
  void AnswerWith(int frames) {
    BeginAnswer();
    for (int i = 0; i < frames; ++i) EngineSpeaks();
  }
  // Says what the model answers to the newest cut.
  void EngineCuts(const std::string& heard, uint64_t turn = 1) {
    ASSERT_FALSE(record_->cuts.empty());
    Engine(turn, ResponseCut{record_->cuts.back(), heard});
  }
  static constexpr uint64_t kFrame = kRate * 80 / 1000;
};

TEST_F(InterruptionTest, AVoicePausesTheAnswerAtOnce) {
  AnswerWith(30);
  Pause(400);
  Speak(200);
  const auto paused = One<PlaybackPaused>();
  EXPECT_EQ(paused.response_id, "response-1");
  // 400 ms, and what it takes to know a voice.
  EXPECT_GE(paused.played_samples, 5 * kFrame);
  EXPECT_LE(paused.played_samples, 5 * kFrame + kRate * 120 / 1000);
  EXPECT_EQ(state(), State::kResponding) << "nothing is lost yet";
  EXPECT_TRUE(record_->cuts.empty());
}

TEST_F(InterruptionTest, AfterACoughItGoesOnFromTheSameSample) {
  AnswerWith(30);
  Pause(400);
  Speak(250);
  Pause(600);
  EXPECT_EQ(One<PlaybackResumed>().played_samples, One<PlaybackPaused>().played_samples);
  EXPECT_TRUE(record_->cuts.empty());
  EXPECT_TRUE(record_->frames.empty()) << "the model has heard nothing of it";
  EXPECT_TRUE(All<server_event::SpeechStarted>().empty());
  EXPECT_EQ(state(), State::kResponding);
  EngineIsDone();
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kCompleted);
}

TEST_F(InterruptionTest, TwoCoughsAreTwo) {
  AnswerWith(40);
  for (int i = 0; i < 2; ++i) {
    Speak(250);
    Pause(600);
  }
  EXPECT_EQ(All<PlaybackPaused>().size(), 2u);
  EXPECT_EQ(All<PlaybackResumed>().size(), 2u);
  EXPECT_EQ(state(), State::kResponding);
}

TEST_F(InterruptionTest, AVoiceThatGoesOnIsTheNextTurn) {
  AnswerWith(30);
  Pause(400);
  Speak(700);
  ASSERT_EQ(record_->cuts.size(), 1u);
  const uint64_t played = One<PlaybackPaused>().played_samples;
  EXPECT_EQ(record_->cuts[0], static_cast<int>(played / kFrame)) << "not what would have been played since";
  EXPECT_EQ(state(), State::kCancelling);
  EXPECT_EQ(media_dropped_, std::vector<std::string>{"response-1"});
  EXPECT_TRUE(record_->frames.empty()) << "the response has yet to stop";
  EngineCuts("paris is");
  EngineIsDone(1, ResponseEnd::kCancelled);
  const auto interrupted = One<ResponseInterrupted>();
  EXPECT_EQ(interrupted.response_id, "response-1");
  EXPECT_EQ(interrupted.played_samples, played);
  EXPECT_EQ(interrupted.heard_text, "paris is");
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kCancelled);
  EXPECT_TRUE(All<PlaybackResumed>().empty());
  // The voice is heard from before it set in.
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStarted>().audio_offset_samples), 0.4 * kRate,
              0.05 * kRate);
  EXPECT_GE(record_->frames.size(), 9u) << "300 ms before, and 700";
  Speak(400);
  Pause(400);
  EXPECT_EQ(One<server_event::SpeechStopped>().audio_offset_samples / (kRate / 100), 150u);
}

TEST_F(InterruptionTest, NothingSaidWhileTheResponseStopsIsLost) {
  AnswerWith(30);
  Speak(600);
  ASSERT_EQ(state(), State::kCancelling);
  Speak(300);
  EngineIsDone(1, ResponseEnd::kCancelled);
  EXPECT_EQ(state(), State::kHearing);
  // Whole frames of 900 ms; before the first sample there was nothing.
  EXPECT_EQ(record_->frames.size(), 11u);
}

TEST_F(InterruptionTest, AnAnswerIsPlayingUntilItsLastSample) {
  AnswerWith(30);  // 2.4 s
  EngineIsDone();
  EXPECT_EQ(state(), State::kWaiting);
  Pause(1000);
  Speak(700);
  ASSERT_EQ(record_->cuts.size(), 1u);
  EXPECT_EQ(record_->cuts[0], static_cast<int>(One<PlaybackPaused>().played_samples / kFrame));
  EXPECT_EQ(state(), State::kHearing) << "there is nothing to wait for";
  EXPECT_FALSE(record_->frames.empty());
  EngineCuts("paris");
  EXPECT_EQ(One<ResponseInterrupted>().heard_text, "paris");
  EXPECT_EQ(All<server_event::ResponseDone>().size(), 1u);
}

TEST_F(InterruptionTest, ACoughAfterTheAnswerWasMadeIsNoTurn) {
  AnswerWith(30);
  EngineIsDone();
  Pause(1000);
  Speak(250);
  Pause(600);
  EXPECT_EQ(One<PlaybackResumed>().played_samples, One<PlaybackPaused>().played_samples);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_TRUE(record_->frames.empty());
}

TEST_F(InterruptionTest, AResponseMayBeDoneBeforeItIsClearWhatTheVoiceIs) {
  AnswerWith(30);
  Speak(300);
  ASSERT_EQ(All<PlaybackPaused>().size(), 1u);
  EngineIsDone();
  EXPECT_EQ(state(), State::kResponding) << "the end of it is not sent while it is paused";
  Speak(400);
  ASSERT_EQ(record_->cuts.size(), 1u);
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(record_->frames.size(), 8u) << "700 ms, whole frames";
}

TEST_F(InterruptionTest, WhatIsSaidWhenAllWasPlayedIsATurnLikeAnyOther) {
  AnswerWith(5);
  EngineIsDone();
  Pause(600);
  Speak(200);
  EXPECT_TRUE(All<PlaybackPaused>().empty());
  EXPECT_TRUE(record_->cuts.empty());
  EXPECT_EQ(state(), State::kHearing);
}

TEST_F(InterruptionTest, TheClientKnowsBetterWhereItIs) {
  AnswerWith(30);
  EngineIsDone();
  Pause(1000);
  Client(client_event::PlaybackPosition{"response-1", 3 * kFrame});
  Speak(700);
  ASSERT_EQ(record_->cuts.size(), 1u);
  EXPECT_EQ(record_->cuts[0], 3) << "a voice is known before another frame has been played";
}

TEST_F(InterruptionTest, APlaybackDelayIsReckonedWith) {
  Client(client_event::SessionUpdate{{.playback_delay_ms = 240}});
  AnswerWith(30);
  Pause(400);
  Client(client_event::Cancel{});
  EXPECT_EQ(record_->cuts, std::vector<int>{2});
}

TEST_F(InterruptionTest, EagerTakesAnyVoiceForATurn) {
  Policy(3);
  AnswerWith(30);
  Pause(400);
  Speak(120);
  EXPECT_EQ(record_->cuts.size(), 1u);
  EXPECT_EQ(state(), State::kCancelling);
}

TEST_F(InterruptionTest, OffTakesNone) {
  Policy(1);
  AnswerWith(30);
  Speak(1000);
  EXPECT_TRUE(All<PlaybackPaused>().empty());
  EngineIsDone();
  Speak(300);
  EXPECT_TRUE(All<PlaybackPaused>().empty());
  EXPECT_EQ(state(), State::kHearing) << "as ever";
}

TEST_F(InterruptionTest, HowLongAVoiceMustBeCanBeSet) {
  Policy(2, 1000);
  AnswerWith(60);
  Speak(800);
  EXPECT_EQ(All<PlaybackPaused>().size(), 1u);
  EXPECT_TRUE(record_->cuts.empty());
  Speak(300);
  EXPECT_EQ(record_->cuts.size(), 1u);
}

TEST_F(InterruptionTest, AClientThatFallsSilentInTheMiddleOfAVoiceIsSilent) {
  AnswerWith(60);
  Speak(300);
  ASSERT_EQ(All<PlaybackPaused>().size(), 1u);
  EXPECT_TRUE(conversation_->wants_ticks());
  Advance(700);
  conversation_->Tick();
  EXPECT_EQ(All<PlaybackResumed>().size(), 1u);
  EXPECT_FALSE(conversation_->wants_ticks());
}

TEST_F(InterruptionTest, ACancelSettlesIt) {
  AnswerWith(30);
  Pause(400);
  Speak(300);
  Client(client_event::Cancel{.played_samples = 2 * kFrame + 5});
  EXPECT_EQ(record_->cuts, std::vector<int>{2});
  EngineCuts("");
  EngineIsDone(1, ResponseEnd::kCancelled);
  EXPECT_EQ(One<ResponseInterrupted>().played_samples, 2 * kFrame + 5);
  EXPECT_EQ(state(), State::kHearing) << "what was said into it is the next turn";
}

TEST_F(InterruptionTest, ACommitSettlesIt) {
  AnswerWith(30);
  EngineIsDone();
  Speak(300);
  Client(client_event::Commit{});
  EXPECT_EQ(record_->cuts.size(), 1u);
  EXPECT_EQ(record_->ends, (std::vector<TurnEndCause>{TurnEndCause::kCommit, TurnEndCause::kCommit}));
}

TEST_F(InterruptionTest, AClearForgetsWhatWasSaidIntoIt) {
  AnswerWith(30);
  EngineIsDone();
  Speak(300);
  Client(client_event::Clear{});
  EXPECT_EQ(All<PlaybackResumed>().size(), 1u);
  EXPECT_TRUE(record_->frames.empty());
  Pause(400);
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(InterruptionTest, AFinishedAnswerMayBeCancelledWhileItIsPlayed) {
  AnswerWith(30);
  EngineIsDone();
  Pause(400);
  Client(client_event::Cancel{});
  EXPECT_EQ(record_->cuts, std::vector<int>{5});
  EngineCuts("paris is");
  EXPECT_EQ(One<ResponseInterrupted>().heard_text, "paris is");
  EXPECT_TRUE(All<server_event::Error>().empty());
  Client(client_event::Cancel{});
  ExpectError(StatusCode::kFailedPrecondition, "", "no response");
}

TEST_F(InterruptionTest, AnAnswerThatWasPlayedCannotBeCancelled) {
  AnswerWith(5);
  EngineIsDone();
  Pause(500);
  Client(client_event::Cancel{});
  ExpectError(StatusCode::kFailedPrecondition, "", "no response");
  EXPECT_TRUE(record_->cuts.empty());
}

TEST_F(InterruptionTest, AWrittenAnswerIsNotInterrupted) {
  Client(client_event::SessionUpdate{{.output_modalities = {1}}});
  BeginAnswer();
  Speak(1000);
  EXPECT_TRUE(All<PlaybackPaused>().empty());
  EXPECT_EQ(state(), State::kResponding);
}

TEST_F(InterruptionTest, WhatCutItAndHowLongThatTookIsKnown) {
  using enum server_event::InterruptedBy;
  struct Case {
    int policy;
    int voice_ms;
    std::optional<client_event::Cancel> cancel;
    server_event::InterruptedBy by;
  };
  const Case cases[] = {{2, 700, std::nullopt, kCautious},
                        {3, 200, std::nullopt, kEager},
                        {2, 200, client_event::Cancel{}, kCancel},
                        {1, 0, client_event::Cancel{}, kCancel},
                        {1, 0, client_event::Cancel{.played_samples = 5}, kCancelAt}};
  uint64_t turn = 0;
  for (const Case& one : cases) {
    ++turn;
    SCOPED_TRACE(turn);
    Client(client_event::Clear{});
    events_.clear();
    Policy(one.policy);
    Client(client_event::TextAppend{"hello"});
    Client(client_event::Commit{});
    EngineAnswers(turn, TurnEndCause::kCommit);
    for (int i = 0; i < 30; ++i) EngineSpeaks(turn);
    Speak(one.voice_ms);
    if (one.cancel) Client(*one.cancel);
    EngineCuts("paris", turn);
    EngineIsDone(turn, ResponseEnd::kCancelled);
    const auto interrupted = One<ResponseInterrupted>();
    EXPECT_EQ(interrupted.by, one.by);
    const double took = Milliseconds(interrupted.since_onset);
    if (one.policy == 1) {
      EXPECT_EQ(took, 0);
      continue;
    }
    const double paused = Milliseconds(One<PlaybackPaused>().since_onset);
    EXPECT_GT(paused, 20);
    EXPECT_LT(paused, 130);
    EXPECT_GE(took, one.by == kCautious ? 480 : paused);
    EXPECT_LE(took, one.by == kCautious ? 560 : one.cancel ? 200 : paused);
  }
}

TEST_F(InterruptionTest, HowLongItTookToGoOnIsKnown) {
  AnswerWith(40);
  Pause(400);
  Speak(250);
  Pause(600);
  const double took = Milliseconds(One<PlaybackResumed>().since_onset);
  EXPECT_GT(took, 400);
  EXPECT_LT(took, 750);
}

TEST_F(InterruptionTest, ThePausedAnswerHasNoUnderruns) {
  AnswerWith(10);
  Pause(400);
  Speak(250);
  Pause(600);
  EngineSpeaks();
  EngineIsDone();
  EXPECT_EQ(One<server_event::ResponseDone>().ledger.underruns, 0);
}

}  // namespace
}  // namespace antiphon
