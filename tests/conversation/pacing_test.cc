// How far ahead of its playback an answer is sent and made.
#include <gtest/gtest.h>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using State = ConversationState;
using server_event::AudioDelta;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// At the model's rate, where a frame is an AudioDelta.
class PacingTest : public ConversationFixture {
 protected:
  static constexpr uint64_t kFrame = 1280;

  void SetUp() override { Lead(400); }

  void Lead(uint32_t ms) {
    Client(client_event::SessionUpdate{{.output_audio = {{1, 16000}}, .max_lead_ms = ms}});
  }
  void Speaks(int frames, uint64_t turn = 1) {
    for (int i = 0; i < frames; ++i) EngineSpeaks(turn);
  }
  void AnswerWith(int frames) {
    BeginAnswer();
    Speaks(frames);
  }
  size_t Sent() const { return All<AudioDelta>().size(); }
  void PassTime(int ms) {
    Advance(ms);
    conversation_->Tick();
  }
  // Until nothing waits any more.
  void PlayOn() {
    for (int i = 0; i < 10'000 && conversation_->speech_due() != TimePoint::max(); ++i) {
      clock_.SleepUntil(conversation_->speech_due());
      conversation_->Tick();
    }
  }
};

TEST_F(PacingTest, AnAnswerRunsAheadUpToTheLead) {
  AnswerWith(10);
  EXPECT_EQ(Sent(), 5u);
  EXPECT_EQ(conversation_->speech_due(), clock_.Now() + milliseconds(80) + microseconds(1));
  PassTime(79);
  EXPECT_EQ(Sent(), 5u);
  PassTime(2);
  EXPECT_EQ(Sent(), 6u);
  EXPECT_EQ(All<AudioDelta>().back().first_sample, 5 * kFrame);
}

TEST_F(PacingTest, TheResponseIsDoneWhenTheLastOfItWasSent) {
  AnswerWith(10);
  const TimePoint begun = clock_.Now();
  EngineIsDone();
  EXPECT_TRUE(All<server_event::ResponseDone>().empty());
  EXPECT_EQ(state(), State::kResponding);
  EXPECT_TRUE(conversation_->response_due());
  PlayOn();
  EXPECT_EQ(Sent(), 10u);
  EXPECT_NEAR(Milliseconds(clock_.Now() - begun), 400, 1);
  ASSERT_TRUE(std::holds_alternative<server_event::ResponseDone>(events_.back()));
  const auto done = One<server_event::ResponseDone>();
  EXPECT_EQ(done.end, ResponseEnd::kCompleted);
  EXPECT_EQ(done.usage.spoken_frames, 5) << "as the engine said";
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(conversation_->speech_due(), TimePoint::max());
}

TEST_F(PacingTest, MarginsAreThoseOfTheClient) {
  AnswerWith(1);
  Advance(30);
  Speaks(9);  // the second when 50 ms are left
  EngineIsDone();
  PlayOn();
  const auto ledger = One<server_event::ResponseDone>().ledger;
  EXPECT_EQ(ledger.least_margin_ms, 50);
  EXPECT_EQ(ledger.underruns, 0) << "what waits for its time is not late";
}

TEST_F(PacingTest, WhatTheEngineMakesTooLateIsAnUnderrun) {
  AnswerWith(5);
  PassTime(500);
  Speaks(5);
  EXPECT_EQ(Sent(), 10u);
  EngineIsDone();
  EXPECT_EQ(One<server_event::ResponseDone>().ledger.underruns, 1);
}

TEST_F(PacingTest, TextDoesNotWait) {
  AnswerWith(10);
  Engine(1, ResponseText{"morning", clock_.Now()});
  EXPECT_EQ(One<server_event::TextDelta>().text, "morning");
}

TEST_F(PacingTest, OpusIsPacedByThePacket) {
  Client(client_event::SessionUpdate{{.output_audio = {{2, 24000}}}});
  AnswerWith(10);
  EXPECT_EQ(Sent(), 20u);
  EXPECT_EQ(conversation_->speech_due(), clock_.Now() + milliseconds(20) + microseconds(1));
  EngineIsDone();
  PlayOn();
  const auto deltas = All<AudioDelta>();
  ASSERT_EQ(deltas.size(), 41u) << "800 ms, and what the encoder still held";
  for (uint32_t i = 0; i < deltas.size(); ++i) {
    EXPECT_EQ(deltas[i].packet_number, i);
    EXPECT_EQ(deltas[i].first_sample, 480u * i);
  }
  EXPECT_EQ(All<server_event::ResponseDone>().size(), 1u);
}

TEST_F(PacingTest, NothingIsSentWhileTheAnswerIsPaused) {
  AnswerWith(20);
  EngineIsDone();
  Pause(100);
  Speak(200);
  ASSERT_EQ(All<server_event::PlaybackPaused>().size(), 1u);
  EXPECT_EQ(conversation_->speech_due(), TimePoint::max());
  const size_t sent = Sent();
  Pause(100);
  EXPECT_EQ(Sent(), sent);
  EXPECT_TRUE(All<server_event::PlaybackResumed>().empty());
  Pause(600);
  ASSERT_EQ(All<server_event::PlaybackResumed>().size(), 1u);
  EXPECT_GT(Sent(), sent);
  PlayOn();
  EXPECT_EQ(Sent(), 20u);
  const auto done = One<server_event::ResponseDone>();
  EXPECT_EQ(done.end, ResponseEnd::kCompleted);
  EXPECT_EQ(done.ledger.underruns, 0);
}

TEST_F(PacingTest, TheClientsReportsMoveIt) {
  AnswerWith(10);
  Advance(70);
  Client(client_event::PlaybackPosition{"response-1", 0});
  PassTime(79);
  EXPECT_EQ(Sent(), 5u) << "149 ms after the first";
  PassTime(2);
  EXPECT_EQ(Sent(), 6u);
}

TEST_F(PacingTest, WhatWaitsIsDroppedByACancel) {
  AnswerWith(10);
  EngineIsDone();
  PassTime(200);
  const size_t sent = Sent();
  ASSERT_LT(sent, 10u);
  Client(client_event::Cancel{});
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kCancelled);
  EXPECT_EQ(record_->cuts, std::vector<int>{2}) << "200 ms were played";
  EXPECT_EQ(media_dropped_, std::vector<std::string>{"response-1"});
  EXPECT_EQ(state(), State::kWaiting);
  Engine(1, ResponseCut{2, "paris"});
  EXPECT_EQ(One<server_event::ResponseInterrupted>().heard_text, "paris");
  PassTime(1000);
  EXPECT_EQ(Sent(), sent);
  // The next one is none the wiser.
  Client(client_event::TextAppend{"more"});
  Client(client_event::Commit{});
  EngineAnswers(2, TurnEndCause::kCommit);
  EngineSpeaks(2);
  EXPECT_EQ(Sent(), sent + 1);
  EXPECT_EQ(All<AudioDelta>().back().first_sample, 0u);
}

TEST_F(PacingTest, AVoiceCutsAnAnswerThatIsMadeAndNotSent) {
  AnswerWith(30);
  EngineIsDone();
  Pause(200);
  Speak(700);
  ASSERT_EQ(record_->cuts.size(), 1u);
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kCancelled);
  EXPECT_EQ(state(), State::kHearing) << "there is nothing to wait for";
  EXPECT_GE(record_->frames.size(), 9u) << "from before the voice set in";
  Engine(1, ResponseCut{record_->cuts[0], "paris"});
  EXPECT_EQ(One<server_event::ResponseInterrupted>().heard_text, "paris");
}

TEST_F(PacingTest, TheLeadMayChangeWithinAnAnswer) {
  AnswerWith(30);
  EXPECT_EQ(Sent(), 5u);
  Lead(1000);
  conversation_->Tick();
  EXPECT_EQ(Sent(), 12u) << "960 ms";
  Lead(60'000);
  conversation_->Tick();
  EXPECT_EQ(Sent(), 30u);
}

TEST_F(PacingTest, ASessionBeginsWithFiveSeconds) {
  const auto made = One<server_event::SessionCreated>();
  EXPECT_EQ(made.config.max_lead_ms, 5000);
  EXPECT_EQ(record_->options.front().unpaced_frames, 65) << "62.5 of 80 ms, and two in hand";
}

TEST_F(PacingTest, TheEngineIsAskedForWhatThePlaybackNeeds) {
  EXPECT_EQ(record_->options.back().unpaced_frames, 7) << "the lead, and two in hand";
  BeginAnswer();
  const TimePoint begun = clock_.Now();
  EXPECT_TRUE(record_->paces.empty());
  Speaks(7);
  ASSERT_EQ(record_->paces.size(), 1u) << "not again and again";
  EXPECT_EQ(record_->paces[0].frames, 7);
  EXPECT_EQ(record_->paces[0].playback_began, begun);
  EXPECT_EQ(Sent(), 5u);
  clock_.SleepUntil(conversation_->speech_due());
  conversation_->Tick();
  EXPECT_EQ(Sent(), 6u);
  ASSERT_EQ(record_->paces.size(), 2u);
  EXPECT_EQ(record_->paces[1].frames, 8);
  EXPECT_NEAR(Milliseconds(record_->paces[1].playback_began - begun), 0, 0.1);
}

TEST_F(PacingTest, TheEngineIsToldOfAPauseWithTheNextFramesItIsAskedFor) {
  AnswerWith(7);
  const TimePoint begun = record_->paces.at(0).playback_began;
  Speak(250);
  Pause(600);
  ASSERT_EQ(All<server_event::PlaybackResumed>().size(), 1u);
  const double paused = Milliseconds(record_->paces.back().playback_began - begun);
  EXPECT_GT(paused, 300) << "a voice is over when it has been silent for so long";
  EXPECT_LT(paused, 700);
  EXPECT_GT(record_->paces.back().frames, 7);
}

TEST_F(PacingTest, AnEngineThatMakesNoMoreThanItIsAskedForIsAlwaysAskedInTime) {
  BeginAnswer();
  int made = 0;
  const auto needed = [this] {
    return record_->paces.empty() ? record_->options.back().unpaced_frames : record_->paces.back().frames;
  };
  for (int ms = 0; ms < 10'000; ++ms) {
    for (; made < needed(); ++made) EngineSpeaks();
    if (conversation_->speech_due() <= clock_.Now()) conversation_->Tick();
    Advance(1);
  }
  EXPECT_NEAR(made, 10'000 / 80 + 7, 2);
  EngineIsDone();
  PlayOn();
  const auto ledger = One<server_event::ResponseDone>().ledger;
  EXPECT_EQ(ledger.underruns, 0);
}

// As when another speed was set just when the model began: its frames are shorter than they are taken to be.
TEST_F(PacingTest, TheEngineIsAskedForEnoughWhateverItsFramesAre) {
  BeginAnswer();
  int made = 0;
  for (int ms = 0; ms < 5'000; ++ms) {
    const int needed = record_->paces.empty() ? 7 : record_->paces.back().frames;
    for (; made < needed; ++made) Engine(1, ResponseAudio{std::vector<float>(640, 0.25f), clock_.Now()});
    if (conversation_->speech_due() <= clock_.Now()) conversation_->Tick();
    Advance(1);
  }
  EXPECT_NEAR(made, 5'000 / 40 + 14, 4);
  EngineIsDone();
  PlayOn();
  EXPECT_EQ(One<server_event::ResponseDone>().ledger.underruns, 0);
}

TEST_F(PacingTest, ASessionThatIsToEndSendsTheRestAtOnce) {
  AnswerWith(30);
  EngineIsDone();
  conversation_->StopPacing();
  EXPECT_EQ(Sent(), 30u);
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kCompleted);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(record_->options.back().unpaced_frames, 752) << "60 s";
  // And all of the next one.
  Client(client_event::TextAppend{"more"});
  Client(client_event::Commit{});
  EngineAnswers(2, TurnEndCause::kCommit);
  Speaks(30, 2);
  EXPECT_EQ(Sent(), 60u);
}

// The engine may have had the next turn already when it ended this one.
TEST_F(PacingTest, TheNextResponseFindsTheLastOneSent) {
  AnswerWith(10);
  EngineIsDone();
  EXPECT_EQ(Sent(), 5u);
  EngineAnswers(2, TurnEndCause::kCommit);
  EXPECT_EQ(Sent(), 10u);
  EXPECT_EQ(One<server_event::ResponseDone>().response_id, "response-1");
  ASSERT_TRUE(std::holds_alternative<server_event::ResponseStarted>(events_.back()));
  Engine(2, ResponseText{"more", clock_.Now()});
  EXPECT_EQ(One<server_event::TextDelta>().response_id, "response-2");
  EngineIsDone(2);
  EXPECT_EQ(All<server_event::ResponseDone>().size(), 2u);
}

TEST_F(PacingTest, AFaultIsToldBehindWhatWasMade) {
  AnswerWith(10);
  Engine(1, ResponseDone{ResponseEnd::kFailed, Internal("the model has stumbled"), 0, 10, 0, 9});
  EXPECT_TRUE(All<server_event::Error>().empty());
  PlayOn();
  EXPECT_EQ(Sent(), 10u);
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kFailed);
  ExpectError(StatusCode::kInternal, "", "stumbled");
}

TEST_F(PacingTest, AHalfClosedConversationIsFinishedWhenAllWasSent) {
  AnswerWith(10);
  conversation_->OnHalfClose();
  EngineIsDone();
  EXPECT_FALSE(conversation_->finished());
  PlayOn();
  EXPECT_TRUE(conversation_->finished());
}

TEST_F(PacingTest, AWrittenAnswerAsksForNoSpeech) {
  Client(client_event::SessionUpdate{{.output_modalities = {1}}});
  BeginAnswer();
  Engine(1, ResponseText{"good", clock_.Now()});
  PassTime(1000);
  EXPECT_TRUE(record_->paces.empty());
  EngineIsDone();
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kCompleted);
}

}  // namespace
}  // namespace antiphon
