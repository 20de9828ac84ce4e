// The user's turn: what the model hears, and who ends it.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using State = ConversationState;

class TurnTest : public ConversationFixture {};

TEST_F(TurnTest, SilenceNeverReachesTheModel) {
  Pause(3000);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_TRUE(record_->frames.empty());
  EXPECT_TRUE(All<server_event::SpeechStarted>().empty());
}

TEST_F(TurnTest, TheModelHearsAVoiceFromBeforeItsOnset) {
  Pause(2000);
  Speak(1000);
  EXPECT_EQ(state(), State::kHearing);
  const auto started = One<server_event::SpeechStarted>();
  EXPECT_NEAR(static_cast<double>(started.audio_offset_samples), 2.0 * kRate, 0.05 * kRate);
  // Frames lie on the grid of 80 ms: those from (onset - 300 ms) on, which are silent until the onset.
  ASSERT_GE(record_->frames.size(), 14u);
  EXPECT_LE(record_->frames.size(), 17u);
  EXPECT_EQ(LevelDbfs(record_->frames[0].samples), -120.0f);
  EXPECT_EQ(LevelDbfs(record_->frames[2].samples), -120.0f);
  EXPECT_GT(LevelDbfs(record_->frames[5].samples), -40.0f);
  for (const auto& frame : record_->frames) EXPECT_EQ(frame.samples.size(), 1280u);
}

TEST_F(TurnTest, FramesAreDatedByTheArrivalOfTheirLastSample) {
  Speak(1000);
  for (size_t i = 1; i < record_->frames.size(); ++i) {
    const auto apart = record_->frames[i].received - record_->frames[i - 1].received;
    EXPECT_EQ(apart, std::chrono::milliseconds(80)) << "frame " << i;
  }
}

TEST_F(TurnTest, TellsWhereSpeechStoppedAndResumed) {
  Speak(800);
  Pause(600);
  Speak(800);
  const auto stopped = All<server_event::SpeechStopped>();
  ASSERT_EQ(stopped.size(), 1u);
  EXPECT_NEAR(static_cast<double>(stopped[0].audio_offset_samples), 0.8 * kRate, 0.15 * kRate);
  const auto started = All<server_event::SpeechStarted>();
  ASSERT_EQ(started.size(), 2u);
  EXPECT_NEAR(static_cast<double>(started[1].audio_offset_samples), 1.4 * kRate, 0.05 * kRate);
  // The pause is heard: it is part of the turn.
  EXPECT_GE(record_->frames.size(), 26u);
}

TEST_F(TurnTest, AVoiceWithoutWordsIsNoiseAndForgotten) {
  Speak(400);
  Pause(1300);
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(record_->clears, 0);
  Pause(500);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(record_->clears, 1);
  const size_t frames = record_->frames.size();
  Pause(1000);
  EXPECT_EQ(record_->frames.size(), frames) << "the gate is closed again";
  Speak(400);
  EXPECT_EQ(state(), State::kHearing) << "and opens again";
}

TEST_F(TurnTest, NoiseInATypedTurnLeavesTheText) {
  Client(client_event::TextAppend{"hello"});
  Speak(400);
  EXPECT_EQ(state(), State::kHearing);
  Pause(1900);
  EXPECT_EQ(state(), State::kTyping);
  EXPECT_EQ(record_->clears, 0);
  const size_t frames = record_->frames.size();
  Pause(500);
  EXPECT_EQ(record_->frames.size(), frames);
  Client(client_event::Commit{});
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
}

TEST_F(TurnTest, AudioFasterThanSpeechLeavesTheModelTimeToFindWords) {
  // Four seconds of audio at one instant of the clock.
  auto audio = Voice(600, kRate);
  audio.resize(4 * kRate, 0.0f);
  for (int second = 0; second < 4; ++second) {
    Client(client_event::AudioAppend{EncodePcm16(std::span(audio).subspan(second * kRate, kRate))});
  }
  EXPECT_EQ(state(), State::kHearing);
  Advance(1000);
  Engine(1, TranscriptDelta{"hello"});
  conversation_->Tick();
  EXPECT_EQ(record_->clears, 0);
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence}) << "words, and the longest silence is over";
}

TEST_F(TurnTest, SilenceAfterWordsEndsTheTurn) {
  Client(client_event::SessionUpdate{{.turn_detection = {{2, 0, 700}}}});
  Speak(600);
  Engine(1, TranscriptDelta{"hello"});
  Pause(600);
  EXPECT_TRUE(record_->ends.empty());
  Pause(400);
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence});
  EXPECT_EQ(state(), State::kEnding);
}

TEST_F(TurnTest, AClientThatStopsSendingIsSilent) {
  Speak(600);
  Engine(1, TranscriptDelta{"hello"});
  Advance(1400);
  conversation_->Tick();
  EXPECT_TRUE(record_->ends.empty());
  Advance(200);
  conversation_->Tick();
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence});
}

TEST_F(TurnTest, AClientThatWasAwayWasNotSilent) {
  Speak(600);
  Engine(1, TranscriptDelta{"hello"});
  Advance(60'000);  // without a tick: its connection was lost
  conversation_->OnClientBack();
  conversation_->Tick();
  Advance(1400);
  conversation_->Tick();
  EXPECT_TRUE(record_->ends.empty());
  Advance(200);
  conversation_->Tick();
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence}) << "it has had its time";
}

TEST_F(TurnTest, APacketStillPlayingIsNotSilence) {
  Speak(600);
  Engine(1, TranscriptDelta{"hello"});
  // A client that sends two seconds at a time: the next piece is not late before those are over.
  Client(client_event::AudioAppend{EncodePcm16(Voice(2000, kRate))});
  Advance(1900);
  conversation_->Tick();
  EXPECT_TRUE(record_->ends.empty());
}

TEST_F(TurnTest, WithoutTurnDetectionOnlyACommitEndsATurn) {
  Client(client_event::SessionUpdate{{.turn_detection = {{1, 0, 200}}}});
  EXPECT_FALSE(record_->options.back().semantic_turns);
  Speak(600);
  Engine(1, TranscriptDelta{"hello"});
  Pause(4000);
  EXPECT_TRUE(record_->ends.empty());
  Client(client_event::Commit{});
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
}

TEST_F(TurnTest, TheLongestTurnEnds) {
  Speak(29'000);
  EXPECT_TRUE(record_->ends.empty());
  Speak(2'000);
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kLength});
  EXPECT_EQ(record_->frames.size(), 375u);
}

TEST_F(TurnTest, CommitSendsTheFrameBegunCompletedWithSilence) {
  Speak(500);
  const size_t whole = record_->frames.size();
  Client(client_event::Commit{});
  ASSERT_EQ(record_->frames.size(), whole + 1);
  const auto& last = record_->frames.back().samples;
  EXPECT_EQ(last.size(), 1280u);
  EXPECT_EQ(last.back(), 0.0f);
  EXPECT_GT(LevelDbfs(last), -40.0f);
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
}

TEST_F(TurnTest, TheModelEndsTheTurnAndTheClientHearsThatTheVoiceStopped) {
  Speak(600);
  const TimePoint last_packet = clock_.Now();
  Pause(200);  // too short for voice activity to be sure
  EXPECT_TRUE(All<server_event::SpeechStopped>().empty());
  Engine(1, TranscriptDelta{"hello"});
  EngineAnswers();
  EXPECT_EQ(state(), State::kResponding);
  const auto stopped = One<server_event::SpeechStopped>();
  EXPECT_NEAR(static_cast<double>(stopped.audio_offset_samples), 0.6 * kRate, 0.15 * kRate);
  EXPECT_EQ(One<server_event::TurnEnded>().cause, TurnEndCause::kModel);
  EXPECT_EQ(One<server_event::TranscriptDelta>().text, "hello");
  EngineIsDone();
  const auto ledger = One<server_event::ResponseDone>().ledger;
  EXPECT_NEAR(static_cast<double>(ledger.last_speech_received_us), static_cast<double>(Micros(last_packet)),
              150e3);
  EXPECT_EQ(ledger.last_speech_received_us % 20'000, 0u) << "a packet's arrival, not a guess between two";
}

TEST_F(TurnTest, AnEmptyTurnCannotBeCommitted) {
  Client(client_event::Commit{}, "commit-1");
  EXPECT_EQ(One<server_event::Error>().event_id, "commit-1");
  ExpectError(StatusCode::kFailedPrecondition, "", "empty");
  Pause(1000);
  Client(client_event::Commit{});
  ExpectError(StatusCode::kFailedPrecondition, "", "empty");
  EXPECT_TRUE(record_->ends.empty());
}

TEST_F(TurnTest, ClearForgetsTheTurn) {
  Client(client_event::TextAppend{"hello"});
  Speak(500);
  Client(client_event::Clear{});
  EXPECT_EQ(record_->clears, 1);
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(All<server_event::SpeechStopped>().size(), 1u);
  events_.clear();
  Client(client_event::Commit{});
  ExpectError(StatusCode::kFailedPrecondition, "", "empty");
  Client(client_event::Clear{});
  EXPECT_TRUE(events_.empty()) << "clearing nothing is no mistake";
}

TEST_F(TurnTest, TheModelMayHaveAnsweredBeforeItWasToldToForget) {
  Speak(500);
  Client(client_event::Clear{});
  EngineAnswers();
  EXPECT_EQ(state(), State::kResponding);
  EngineIsDone();
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(TurnTest, AudioTheEngineRefusesCostsTheTurn) {
  Speak(500);
  events_.clear();
  record_->append_result = InvalidArgument("a frame has 1281 samples");
  Microphone(Voice(100, kRate));
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(record_->clears, 1);
  ExpectError(StatusCode::kInvalidArgument, "audio_append.audio", "a frame has 1281 samples");
}

TEST_F(TurnTest, InputTheEngineCannotTakeLaterCostsTheTurnOnce) {
  Client(client_event::TextAppend{"hello"});
  Client(client_event::Commit{});
  Engine(1, InputRefused{ResourceExhausted("the context is full")});
  Engine(1, InputRefused{ResourceExhausted("the context is full")});
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_FALSE(conversation_->response_due());
  ExpectError(StatusCode::kResourceExhausted, "text_append.text", "the context is full");
}

TEST_F(TurnTest, WordsOfATurnThatIsOverAreNotTold) {
  Speak(500);
  Client(client_event::Clear{});
  Engine(1, TranscriptDelta{"late"});
  EXPECT_TRUE(All<server_event::TranscriptDelta>().empty());
}

TEST_F(TurnTest, WordsOfAForgottenTurnAreNotTakenForTheNextTurns) {
  Speak(500);
  Client(client_event::Clear{});
  Speak(500);
  Engine(1, TranscriptDelta{"late"});
  Engine(1, InputRefused{ResourceExhausted("late")});
  EXPECT_TRUE(All<server_event::TranscriptDelta>().empty());
  EXPECT_TRUE(All<server_event::Error>().empty());
  EXPECT_EQ(state(), State::kHearing);
  Engine(1, TurnCleared{});
  Engine(2, TranscriptDelta{"new"});
  EXPECT_EQ(One<server_event::TranscriptDelta>().text, "new");
}

TEST_F(TurnTest, ClearsAnsweredTogetherAreCountedEach) {
  Speak(500);
  Client(client_event::Clear{});
  Client(client_event::Clear{});
  EXPECT_EQ(record_->clears, 2);
  Engine(1, TurnCleared{2});
  Speak(500);
  Engine(2, TranscriptDelta{"new"});
  EXPECT_EQ(One<server_event::TranscriptDelta>().text, "new");
}

TEST_F(TurnTest, ALostTurnStaysLostForTheRestOfItsPacket) {
  Speak(500);
  events_.clear();
  record_->append_result = InvalidArgument("a frame has 1281 samples");
  // In one packet: a voice, a pause that ends it, a voice again.
  std::vector<float> samples = Voice(400, kRate);
  samples.resize(samples.size() + kRate, 0.0f);
  const std::vector<float> again = Voice(400, kRate);
  samples.insert(samples.end(), again.begin(), again.end());
  Advance(1800);
  Client(client_event::AudioAppend{EncodePcm16(samples)});
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(record_->clears, 1);
  ExpectError(StatusCode::kInvalidArgument, "audio_append.audio", "a frame has 1281 samples");
  record_->append_result = OkStatus();
  Speak(500);
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(All<server_event::SpeechStarted>().size(), 1u);
}

TEST_F(TurnTest, TextTypedAfterTheModelEndedTheTurnBeginsTheNext) {
  Speak(500);
  Client(client_event::TextAppend{"and one more thing"});
  Engine(1, TurnEnded{TurnEndCause::kModel, "what was heard", 7, 0, 0, 0, clock_.Now()});
  EXPECT_EQ(state(), State::kResponding);
  EngineIsDone(1);
  EXPECT_EQ(state(), State::kTyping) << "the engine has the text already";
  Client(client_event::Commit{});
  EXPECT_EQ(record_->ends.size(), 1u);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(TurnTest, AVoiceIsHeardAfterNoiseInATurnOfText) {
  Client(client_event::TextAppend{"hello"});
  Speak(400);  // and then the microphone is shut, in the middle of what seemed a voice
  for (int i = 0; i < 40; ++i) {
    Advance(50);
    conversation_->Tick();
  }
  ASSERT_EQ(state(), State::kTyping);
  const size_t frames = record_->frames.size();
  events_.clear();
  Speak(500);
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(All<server_event::SpeechStarted>().size(), 1u);
  EXPECT_GT(record_->frames.size(), frames);
}

TEST_F(TurnTest, RefusesAudioThatIsNone) {
  Client(client_event::AudioAppend{""});
  ExpectError(StatusCode::kInvalidArgument, "audio_append.audio", "empty");
  Client(client_event::AudioAppend{"abc"});
  ExpectError(StatusCode::kInvalidArgument, "audio_append.audio", "odd");
  Client(client_event::AudioAppend{std::string(96'002, '\0')});
  ExpectError(StatusCode::kInvalidArgument, "audio_append.audio", "at most 96000");
  Client(client_event::SessionUpdate{{.input_audio = {{2, 48000}}}});
  events_.clear();
  Client(client_event::AudioAppend{std::string(200, '\xff')});
  EXPECT_EQ(One<server_event::Error>().refusal.field, "audio_append.audio");
}

TEST_F(TurnTest, RefusesTextOutOfItsLimits) {
  Client(client_event::TextAppend{""}, "t");
  ExpectError(StatusCode::kInvalidArgument, "text_append.text", "1 to 4000");
  Client(client_event::TextAppend{std::string(4001, 'a')});
  ExpectError(StatusCode::kInvalidArgument, "text_append.text", "1 to 4000");
  record_->append_result = InvalidArgument("text has 2000 pieces, must have at most 1024");
  Client(client_event::TextAppend{std::string(4000, 'a')});
  ExpectError(StatusCode::kInvalidArgument, "text_append.text", "1024");
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(TurnTest, RefusesWhatItDoesNotKnow) {
  Client(client_event::Unknown{}, "future");
  EXPECT_EQ(One<server_event::Error>().event_id, "future");
  ExpectError(StatusCode::kInvalidArgument, "event", "");
  Client(client_event::Commit{}, std::string(65, 'x'));
  ExpectError(StatusCode::kInvalidArgument, "event_id", "at most 64");
}

TEST_F(TurnTest, HearsOpusAsItHearsPcm) {
  Client(client_event::SessionUpdate{{.input_audio = {{2, 48000}}}});
  auto encoder = OpusPacketEncoder::Create({.sample_rate = 48000});
  ASSERT_TRUE(encoder.ok());
  const auto voice = Voice(1000, 48000);
  for (size_t begin = 0; begin < voice.size(); begin += 960) {
    Advance(20);
    auto packet = encoder->Encode(std::span(voice).subspan(begin, 960));
    ASSERT_TRUE(packet.ok());
    Client(client_event::AudioAppend{*packet});
  }
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_GE(record_->frames.size(), 11u);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(TurnTest, TheInputFormatChangesOnlyBetweenTurns) {
  Speak(500);
  Client(client_event::SessionUpdate{{.input_audio = {{1, 16000}}}});
  ExpectError(StatusCode::kFailedPrecondition, "session_update.config.input_audio", "between turns");
  Client(client_event::Clear{});
  Client(client_event::SessionUpdate{{.input_audio = {{1, 48000}}}});
  EXPECT_EQ(One<server_event::SessionUpdated>().config.input.sample_rate, 48000);
  // Offsets go on in samples of the new rate: 500 ms are behind us, 500 ms of pause follow.
  Client(client_event::AudioAppend{std::string(48000, '\0')});
  for (int i = 0; i < 5; ++i) Client(client_event::AudioAppend{EncodePcm16(Voice(100, 48000))});
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStarted>().audio_offset_samples), 48000.0, 2400.0);
}

TEST_F(TurnTest, SettingsReachTheSequence) {
  EXPECT_EQ(One<server_event::SessionCreated>().model, "fake");
  EXPECT_EQ(One<server_event::SessionCreated>().max_session_seconds, 60);
  ASSERT_EQ(record_->options.size(), 1u);
  EXPECT_TRUE(record_->options[0].speak);
  EXPECT_EQ(record_->options[0].max_response_frames, 375);
  Client(client_event::SessionUpdate{{.output_modalities = {1},
                                      .turn_detection = {{2, 0.7f, 0}},
                                      .sampling = {{.temperature = 0.5f, .seed = 9}},
                                      .max_response_seconds = 60}});
  ASSERT_EQ(record_->options.size(), 2u);
  EXPECT_FALSE(record_->options[1].speak);
  EXPECT_EQ(record_->options[1].endpoint_threshold, 0.7f);
  EXPECT_EQ(record_->options[1].max_response_frames, 750);
  EXPECT_EQ(record_->options[1].sampling.seed, 9u);
  Client(client_event::SessionUpdate{{.output_modalities = {2}, .sampling = {{.temperature = 9.0f}}}});
  EXPECT_EQ(record_->options.size(), 2u) << "an update with a mistake changes nothing";
}

}  // namespace
}  // namespace antiphon
