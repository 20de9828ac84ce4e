// Turns that silence ends, and settings of turn detection that change within a session and a turn.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using State = ConversationState;

constexpr int kNone = 1, kSemantic = 2, kServerVad = 3;
constexpr int kLow = 1, kHigh = 3;

class ServerVadTest : public ConversationFixture {
 protected:
  void Detect(const TurnDetectionUpdate& update) {
    Client(client_event::SessionUpdate{{.turn_detection = update}});
  }
  // A voice in which the model has found words.
  void SayWords(int ms, uint64_t turn = 1) {
    Speak(ms);
    Engine(turn, TranscriptDelta{"hello"});
  }
  // Is silent until the turn is ended, 4 s at most. Returns for how many ms.
  int PauseUntilTheEnd() {
    const size_t ends = record_->ends.size();
    int ms = 0;
    for (; ms < 4000 && record_->ends.size() == ends; ms += kPacketMs) Pause(kPacketMs);
    return ms;
  }
  std::string PcmOf(const std::vector<int>& voices_and_pauses) {
    std::vector<float> sound;
    for (size_t i = 0; i < voices_and_pauses.size(); ++i) {
      std::vector<float> piece = Voice(voices_and_pauses[i], kRate);
      if (i % 2 == 1) std::fill(piece.begin(), piece.end(), 0.0f);
      sound.insert(sound.end(), piece.begin(), piece.end());
    }
    return EncodePcm16(sound);
  }
};

TEST_F(ServerVadTest, SilenceOfTheConfiguredLengthEndsTheTurn) {
  uint64_t turn = 0;
  for (const uint32_t duration : {200u, 500u, 1200u}) {
    SCOPED_TRACE(duration);
    Detect({.mode = kServerVad, .silence_duration_ms = duration});
    EXPECT_FALSE(record_->options.back().semantic_turns);
    SayWords(600, ++turn);
    EXPECT_NEAR(PauseUntilTheEnd(), static_cast<double>(duration), 40.0);
    ASSERT_EQ(record_->ends.size(), turn);
    EXPECT_EQ(record_->ends.back(), TurnEndCause::kSilence);
    EXPECT_EQ(state(), State::kEnding);
    EngineAnswers(turn, TurnEndCause::kSilence);
    EngineIsDone(turn);
  }
}

TEST_F(ServerVadTest, TheDefaultIs500Ms) {
  Detect({.mode = kServerVad});
  SayWords(600);
  EXPECT_NEAR(PauseUntilTheEnd(), 500.0, 40.0);
}

TEST_F(ServerVadTest, TheEngineMayBeginTheAnswerBehindTheLastFrame) {
  uint64_t turn = 0;
  size_t expected = 0;
  for (const uint32_t duration : {200u, 230u, 460u, 500u, 520u, 1200u}) {
    SCOPED_TRACE(duration);
    Detect({.mode = kServerVad, .silence_duration_ms = duration});
    SayWords(600, ++turn);
    PauseUntilTheEnd();
    ASSERT_EQ(record_->ends.size(), turn);
    // Unless a frame was complete just when the silence was long enough.
    if (record_->end_expected.size() > expected) {
      EXPECT_EQ(record_->end_expected.size(), ++expected) << "once a turn";
      EXPECT_EQ(record_->end_expected.back(), record_->frames.size()) << "nothing was heard since";
    }
    EngineAnswers(turn, TurnEndCause::kSilence);
    EngineIsDone(turn);
  }
  EXPECT_GE(expected, 3u);
}

TEST_F(ServerVadTest, NoEndIsExpectedWithoutWordsNorOfTheModel) {
  Detect({.mode = kServerVad});
  Speak(600);
  Pause(480);
  EXPECT_TRUE(record_->end_expected.empty());
  Client(client_event::Clear{});
  Engine(0, TurnCleared{});
  Detect({.mode = kSemantic});
  SayWords(600, 2);
  Pause(1400);
  EXPECT_TRUE(record_->end_expected.empty());
}

TEST_F(ServerVadTest, AShorterPauseDoesNot) {
  Detect({.mode = kServerVad, .silence_duration_ms = 500});
  SayWords(600);
  Pause(460);  // the next voice is not known to be one before 500 ms have passed
  Speak(600);
  Pause(300);
  Speak(600);
  EXPECT_TRUE(record_->ends.empty());
  EXPECT_EQ(All<server_event::SpeechStarted>().size(), 3u);
  EXPECT_NEAR(PauseUntilTheEnd(), 500.0, 40.0);
}

TEST_F(ServerVadTest, AStopIsToldNoLaterThanTheTurnEnds) {
  Detect({.mode = kServerVad, .silence_duration_ms = 200});
  SayWords(600);
  Pause(140);
  EXPECT_TRUE(All<server_event::SpeechStopped>().empty());
  Pause(120);
  EXPECT_EQ(record_->ends.size(), 1u);
  const auto stopped = One<server_event::SpeechStopped>();
  EXPECT_NEAR(static_cast<double>(stopped.audio_offset_samples), 0.6 * kRate, 0.03 * kRate);
  EngineAnswers(1, TurnEndCause::kSilence);
  EXPECT_EQ(One<server_event::TurnEnded>().cause, TurnEndCause::kSilence);
  EXPECT_EQ(All<server_event::SpeechStopped>().size(), 1u);
}

TEST_F(ServerVadTest, AStopIsTold300MsLaterIfTheTurnWaitsLonger) {
  Detect({.mode = kServerVad, .silence_duration_ms = 1200});
  SayWords(600);
  Pause(240);
  EXPECT_TRUE(All<server_event::SpeechStopped>().empty());
  Pause(120);
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStopped>().audio_offset_samples), 0.6 * kRate,
              0.03 * kRate);
  EXPECT_TRUE(record_->ends.empty());
}

TEST_F(ServerVadTest, TheLedgerDatesTheEndOfTheSpeech) {
  Detect({.mode = kServerVad});
  SayWords(600);
  const TimePoint last_packet = clock_.Now();
  PauseUntilTheEnd();
  EngineAnswers(1, TurnEndCause::kSilence);
  EngineIsDone();
  const auto ledger = One<server_event::ResponseDone>().ledger;
  EXPECT_NEAR(static_cast<double>(ledger.last_speech_received_us), static_cast<double>(Micros(last_packet)),
              30e3);
}

TEST_F(ServerVadTest, AVoiceWithoutWordsIsNoiseAsSoonAsATurnWouldHaveEnded) {
  Detect({.mode = kServerVad, .silence_duration_ms = 700});
  Speak(400);
  Pause(600);
  EXPECT_EQ(state(), State::kHearing);
  Pause(200);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(record_->clears, 1);
  EXPECT_TRUE(record_->ends.empty());
  Engine(1, TurnCleared{});
  Speak(400);
  EXPECT_EQ(state(), State::kHearing) << "and the next voice opens a turn";
}

TEST_F(ServerVadTest, NoiseInATypedTurnLeavesTheText) {
  Detect({.mode = kServerVad});
  Client(client_event::TextAppend{"hello"});
  Speak(400);
  Pause(700);
  EXPECT_EQ(state(), State::kTyping);
  EXPECT_EQ(record_->clears, 0);
  EXPECT_TRUE(record_->ends.empty()) << "only a commit ends a turn without spoken words";
}

TEST_F(ServerVadTest, NoiseIsForgottenThoughTheTurnWouldWaitLonger) {
  Detect({.mode = kServerVad, .silence_duration_ms = 5000});
  Speak(400);
  Pause(1700);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(record_->clears, 1);
}

TEST_F(ServerVadTest, AWordThatComesAfterTheSilenceEndsTheTurnAtOnce) {
  Detect({.mode = kServerVad, .silence_duration_ms = 200});
  Speak(400);
  Pause(360);
  EXPECT_EQ(state(), State::kHearing) << "too short to be sure that there are no words";
  EXPECT_TRUE(record_->ends.empty());
  Engine(1, TranscriptDelta{"yes"});
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence});
}

TEST_F(ServerVadTest, AModelThatIsBehindIsWaitedForWhereTheTurnMayBeOver) {
  Detect({.mode = kServerVad});
  engine_is_behind_ = true;
  Client(client_event::AudioAppend{PcmOf({600, 700, 500, 100})});
  EXPECT_FALSE(conversation_->accepts_input());
  EXPECT_TRUE(record_->ends.empty());
  const size_t frames = record_->frames.size();
  EXPECT_LE(frames, 14u) << "1.1 s: nothing of the second voice";
  Engine(1, TranscriptDelta{"hello"});
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence});
  EXPECT_EQ(record_->frames.size(), frames);
  EXPECT_EQ(state(), State::kEnding);
  EXPECT_TRUE(conversation_->accepts_input());
  EXPECT_EQ(All<server_event::SpeechStarted>().size(), 1u);
  EXPECT_EQ(All<server_event::SpeechStopped>().size(), 1u);
}

TEST_F(ServerVadTest, WhatFollowsIsHeardIfTheModelFindsNoWords) {
  Detect({.mode = kServerVad});
  engine_is_behind_ = true;
  Client(client_event::AudioAppend{PcmOf({600, 700, 500, 100})});
  const size_t frames = record_->frames.size();
  ASSERT_FALSE(conversation_->accepts_input());
  EngineRunsFrames();
  EXPECT_TRUE(conversation_->accepts_input());
  EXPECT_GT(record_->frames.size(), frames);
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(All<server_event::SpeechStarted>().size(), 2u);
  EXPECT_TRUE(record_->ends.empty());
}

TEST_F(ServerVadTest, AClientThatStopsSendingMayHaveAStumblingNetwork) {
  Detect({.mode = kServerVad, .silence_duration_ms = 300});
  SayWords(600);
  Advance(1400);
  conversation_->Tick();
  EXPECT_TRUE(record_->ends.empty());
  Advance(200);
  conversation_->Tick();
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence});
}

TEST_F(ServerVadTest, AClientThatStopsSendingIsNotSilentSoonerThanOneThatSendsSilence) {
  Detect({.mode = kServerVad, .max_silence_ms = 500, .silence_duration_ms = 2000});
  SayWords(600);
  Advance(1900);
  conversation_->Tick();
  EXPECT_TRUE(record_->ends.empty());
  Advance(200);
  conversation_->Tick();
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence});
}

TEST_F(ServerVadTest, ACommitEndsTheTurnSooner) {
  Detect({.mode = kServerVad});
  SayWords(600);
  Client(client_event::Commit{});
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
}

TEST_F(ServerVadTest, AVoiceIsNotNoiseBecauseTheNetworkStumbles) {
  Detect({.mode = kServerVad});
  Speak(200);
  Advance(1400);  // and not a sample
  conversation_->Tick();
  EXPECT_EQ(state(), State::kHearing);
  SayWords(400);
  EXPECT_EQ(record_->clears, 0);
  EXPECT_NEAR(PauseUntilTheEnd(), 500.0, 40.0);
}

// ---- Changes within a turn.

TEST_F(ServerVadTest, SetWithinATurnItCountsTheSilenceThatHasPassed) {
  SayWords(600);
  EXPECT_TRUE(record_->options.back().semantic_turns);
  Pause(700);
  ASSERT_TRUE(record_->ends.empty());
  Detect({.mode = kServerVad});
  EXPECT_FALSE(record_->options.back().semantic_turns);
  Pause(kPacketMs);
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence});
}

TEST_F(ServerVadTest, TheLengthOfTheSilenceMayChangeWithinIt) {
  Detect({.mode = kServerVad, .silence_duration_ms = 3000});
  SayWords(600);
  Pause(600);
  Detect({.mode = kServerVad, .silence_duration_ms = 800});
  EXPECT_NEAR(PauseUntilTheEnd(), 200.0, 40.0);
}

TEST_F(ServerVadTest, SwitchedOffWithinATurnOnlyACommitEndsIt) {
  Detect({.mode = kServerVad});
  SayWords(600);
  Pause(300);
  Detect({.mode = kNone});
  Pause(4000);
  EXPECT_TRUE(record_->ends.empty());
  Client(client_event::Commit{});
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
}

TEST_F(ServerVadTest, TheModelMayTakeOverWithinATurn) {
  Detect({.mode = kServerVad});
  SayWords(600);
  Pause(300);
  Detect({.mode = kSemantic});
  EXPECT_TRUE(record_->options.back().semantic_turns);
  EXPECT_NEAR(PauseUntilTheEnd(), 1200.0, 40.0) << "the model says nothing: 1500 ms in all";
}

TEST_F(ServerVadTest, AMistakeInAChangeChangesNothing) {
  Detect({.mode = kServerVad, .silence_duration_ms = 300});
  SayWords(600);
  Detect({.mode = kServerVad, .silence_duration_ms = 100});
  ExpectError(StatusCode::kInvalidArgument, "session_update.config.turn_detection.silence_duration_ms",
              "200 to 5000");
  EXPECT_NEAR(PauseUntilTheEnd(), 300.0, 40.0);
}

TEST_F(ServerVadTest, AnUpdateOfOtherSettingsLeavesItAsItIs) {
  Detect({.mode = kServerVad});
  SayWords(600);
  Pause(300);
  Client(client_event::SessionUpdate{{.max_response_seconds = 9}});
  EXPECT_FALSE(record_->options.back().semantic_turns);
  EXPECT_NEAR(PauseUntilTheEnd(), 200.0, 40.0);
}

// ---- What the model hears, and what is a voice, in every mode.

TEST_F(ServerVadTest, PaddingIsHeardFromBeforeTheVoice) {
  for (const int mode : {kNone, kSemantic, kServerVad}) {
    SCOPED_TRACE(mode);
    for (const uint32_t padding : {0u, 1000u}) {
      Detect({.mode = mode, .prefix_padding_ms = padding});
      const size_t before = record_->frames.size();
      Pause(2000);
      Speak(500);
      ASSERT_GT(record_->frames.size(), before + 1);
      const auto silent =
          std::find_if(record_->frames.begin() + static_cast<std::ptrdiff_t>(before), record_->frames.end(),
                       [](const auto& frame) { return LevelDbfs(frame.samples) > -100.0f; }) -
          record_->frames.begin() - static_cast<std::ptrdiff_t>(before);
      if (padding == 0) {
        EXPECT_LE(silent, 1);
      } else {
        EXPECT_GE(silent, 12);
        EXPECT_LE(silent, 13);
      }
      Client(client_event::Clear{});
    }
  }
}

// One voice a session: what the detector has heard and not taken for a voice it knows as noise from then on.
class VadThresholdTest : public ServerVadTest {
 protected:
  // Whether a voice of this level is one for this threshold; absent: the default one.
  bool IsVoice(float level_dbfs, std::optional<float> threshold) {
    std::vector<float> voice = Voice(600, kRate);
    const float gain = std::pow(10.0f, (level_dbfs - LevelDbfs(voice)) / 20.0f);
    for (float& sample : voice) sample *= gain;
    Detect({.mode = kServerVad, .vad_threshold = threshold});
    Pause(500);
    Microphone(voice);
    return state() == State::kHearing;
  }
};

TEST_F(VadThresholdTest, AFaintVoiceIsNone) { EXPECT_FALSE(IsVoice(-40.0f, std::nullopt)); }
TEST_F(VadThresholdTest, AFaintVoiceIsOneForALowThreshold) { EXPECT_TRUE(IsVoice(-40.0f, 0.1f)); }
TEST_F(VadThresholdTest, AQuietVoiceIsOne) { EXPECT_TRUE(IsVoice(-33.0f, std::nullopt)); }
TEST_F(VadThresholdTest, AQuietVoiceIsNoneForAHighThreshold) { EXPECT_FALSE(IsVoice(-33.0f, 0.9f)); }

TEST_F(ServerVadTest, EagernessReachesTheModelAsItsThreshold) {
  const float own = TestModel().endpoint_threshold;
  ASSERT_FLOAT_EQ(own, 0.9f);
  EXPECT_EQ(record_->options.back().endpoint_threshold, 0.0f);
  Detect({.mode = kSemantic, .eagerness = kLow});
  EXPECT_FLOAT_EQ(record_->options.back().endpoint_threshold, 36.0f / 37.0f);
  EXPECT_EQ(All<server_event::SessionUpdated>().back().config.turn_detection.max_silence_ms, 3000);
  Detect({.mode = kSemantic, .eagerness = kHigh});
  EXPECT_FLOAT_EQ(record_->options.back().endpoint_threshold, 2.25f / 3.25f);
  Detect({.mode = kSemantic, .threshold = 0.6f, .eagerness = kHigh});
  EXPECT_EQ(record_->options.back().endpoint_threshold, 0.6f);
  EXPECT_EQ(All<server_event::SessionUpdated>().back().config.turn_detection.max_silence_ms, 750);
}

TEST_F(ServerVadTest, EagernessBoundsTheWaitForTheModel) {
  Detect({.mode = kSemantic, .eagerness = kHigh});
  SayWords(600);
  EXPECT_NEAR(PauseUntilTheEnd(), 750.0, 40.0);
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence});
}

}  // namespace
}  // namespace antiphon
