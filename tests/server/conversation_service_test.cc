// Conversations as a client leads them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>

#include "tests/conversation/voice.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;

std::string Pcm(const std::vector<float>& samples) {
  std::string bytes;
  for (const float sample : samples) {
    const auto value = static_cast<int16_t>(std::lrint(sample * 32767.0f));
    bytes.push_back(static_cast<char>(value & 0xff));
    bytes.push_back(static_cast<char>((value >> 8) & 0xff));
  }
  return bytes;
}

// The sample in the middle of PCM16 bytes, in [-1, 1].
float Middle(const std::string& pcm) {
  int16_t value = 0;
  if (pcm.size() >= 4) std::memcpy(&value, pcm.data() + pcm.size() / 4 * 2, sizeof value);
  return static_cast<float>(value) / 32768.0f;
}

class ConversationServiceTest : public ServerFixture {};

TEST_F(ConversationServiceTest, ASessionIsCreatedWithTheDefaults) {
  StartServer();
  TestCall call(channel_);
  const auto first = call.Read();
  ASSERT_TRUE(first && first->has_session_created());
  const v1::SessionCreated& created = first->session_created();
  EXPECT_FALSE(created.session_id().empty());
  EXPECT_EQ(created.model(), "fake");
  EXPECT_EQ(created.model_version(), "v1");
  EXPECT_EQ(created.max_session_seconds(), 1800u);
  EXPECT_EQ(created.config().output_modalities_size(), 2);
  EXPECT_EQ(created.config().input_audio().encoding(), v1::AUDIO_ENCODING_PCM16);
  EXPECT_EQ(created.config().input_audio().sample_rate(), 24000u);
  EXPECT_EQ(created.config().turn_detection().mode(), v1::TurnDetection::MODE_SEMANTIC);
  EXPECT_EQ(created.config().turn_detection().max_silence_ms(), 1500u);
  EXPECT_EQ(created.config().turn_detection().eagerness(), v1::TurnDetection::EAGERNESS_MEDIUM);
  EXPECT_EQ(created.config().turn_detection().silence_duration_ms(), 500u);
  EXPECT_EQ(created.config().turn_detection().prefix_padding_ms(), 300u);
  EXPECT_EQ(created.config().turn_detection().vad_threshold(), 0.5f);
  EXPECT_EQ(created.config().sampling().top_p(), 1.0f);
  EXPECT_EQ(created.config().max_response_seconds(), 30u);
  EXPECT_EQ(created.config().interruption().policy(), v1::Interruption::POLICY_CAUTIOUS);
  EXPECT_EQ(created.config().interruption().min_voice_ms(), 500u);
  EXPECT_TRUE(created.config().has_playback_delay_ms());
  EXPECT_EQ(created.config().playback_delay_ms(), 0u);
  EXPECT_EQ(created.config().max_lead_ms(), 5000u);
}

TEST_F(ConversationServiceTest, ATypedTurnIsAnsweredInTextAndSpeech) {
  StartServer();
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 25"));
  const Event ended = call.ReadUntil(Event::kTurnEnded);
  EXPECT_EQ(ended.turn_ended().cause(), v1::TurnEnded::CAUSE_COMMIT);
  EXPECT_EQ(ended.turn_ended().transcript(), "blue 25");
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.text, "you said blue 25");
  EXPECT_EQ(answer.done.text(), answer.text);
  EXPECT_EQ(answer.done.status(), v1::ResponseDone::STATUS_COMPLETED);
  EXPECT_EQ(answer.audio.size(), 5u * 1920u * 2u);
  EXPECT_NEAR(Middle(answer.audio), 0.25f, 0.01f);
  EXPECT_EQ(answer.done.usage().spoken_frames(), 5u);
  EXPECT_EQ(answer.done.usage().output_text_pieces(), 3u);
  const v1::LatencyLedger& ledger = answer.done.ledger();
  EXPECT_GT(ledger.last_speech_received_us(), 0u);
  EXPECT_GE(ledger.endpoint_decided_us(), ledger.last_speech_received_us());
  EXPECT_GE(ledger.first_symbol_us(), ledger.endpoint_decided_us());
  EXPECT_GE(ledger.first_frame_us(), ledger.first_symbol_us());
  EXPECT_GE(ledger.first_packet_sent_us(), ledger.first_frame_us());
}

TEST_F(ConversationServiceTest, ASpokenTurnIsHeardAndAnswered) {
  StartServer();
  TestCall call(channel_);
  auto audio = Voice(1500, 24000);
  for (size_t begin = 0; begin < audio.size(); begin += 480) {
    ASSERT_TRUE(call.SendAudio(Pcm({audio.begin() + begin, audio.begin() + begin + 480})));
  }
  EXPECT_LT(call.ReadUntil(Event::kSpeechStarted).speech_started().audio_offset_samples(), 2400u);
  EXPECT_EQ(call.ReadUntil(Event::kTranscriptDelta).transcript_delta().text(), "some words");
  const Event ended = call.ReadUntil(Event::kTurnEnded);
  EXPECT_EQ(ended.turn_ended().cause(), v1::TurnEnded::CAUSE_MODEL);
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.text, "i heard you");
  EXPECT_EQ(answer.done.usage().heard_frames(), 12u);
}

TEST_F(ConversationServiceTest, TurnDetectionChangesInMidSession) {
  StartServer();
  TestCall call(channel_);
  // 1.5 s of a voice and 1 s of silence, at once: it is as long to the server as if it came in time.
  const auto speak = [&call] {
    auto audio = Voice(1500, 24000);
    audio.resize(audio.size() + 24000);
    for (size_t begin = 0; begin < audio.size(); begin += 480) {
      ASSERT_TRUE(call.SendAudio(Pcm({audio.begin() + begin, audio.begin() + begin + 480})));
    }
  };
  v1::ClientEvent update;
  v1::TurnDetection* detection = update.mutable_session_update()->mutable_config()->mutable_turn_detection();
  detection->set_mode(v1::TurnDetection::MODE_SERVER_VAD);
  detection->set_silence_duration_ms(300);
  ASSERT_TRUE(call.Send(update));
  const Event updated = call.ReadUntil(Event::kSessionUpdated);
  EXPECT_EQ(updated.session_updated().config().turn_detection().mode(), v1::TurnDetection::MODE_SERVER_VAD);
  speak();
  const Event stopped = call.ReadUntil(Event::kSpeechStopped);
  EXPECT_NEAR(static_cast<double>(stopped.speech_stopped().audio_offset_samples()), 36000.0, 720.0);
  EXPECT_EQ(call.ReadUntil(Event::kTurnEnded).turn_ended().cause(), v1::TurnEnded::CAUSE_SILENCE);
  const uint32_t heard = call.ReadAnswer().done.usage().heard_frames();
  EXPECT_GE(heard, 21u) << "the model would have ended it after 12";
  EXPECT_LE(heard, 23u) << "1.8 s";

  detection->set_mode(v1::TurnDetection::MODE_NONE);
  ASSERT_TRUE(call.Send(update));
  call.ReadUntil(Event::kSessionUpdated);
  speak();
  ASSERT_TRUE(call.Commit());
  EXPECT_EQ(call.ReadUntil(Event::kTurnEnded).turn_ended().cause(), v1::TurnEnded::CAUSE_COMMIT);
  EXPECT_GE(call.ReadAnswer().done.usage().heard_frames(), 31u) << "all of it";

  detection->set_mode(v1::TurnDetection::MODE_SEMANTIC);
  ASSERT_TRUE(call.Send(update));
  call.ReadUntil(Event::kSessionUpdated);
  speak();
  EXPECT_EQ(call.ReadUntil(Event::kTurnEnded).turn_ended().cause(), v1::TurnEnded::CAUSE_MODEL);
  EXPECT_EQ(call.ReadAnswer().done.usage().heard_frames(), 12u);
}

TEST_F(ConversationServiceTest, AnAnswerMayBeWrittenOnly) {
  StartServer();
  TestCall call(channel_);
  v1::ClientEvent update;
  update.mutable_session_update()->mutable_config()->add_output_modalities(v1::MODALITY_TEXT);
  ASSERT_TRUE(call.Send(update));
  ASSERT_TRUE(call.Ask("blue 7"));
  const Event updated = call.ReadUntil(Event::kSessionUpdated);
  EXPECT_EQ(updated.session_updated().config().output_modalities_size(), 1);
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.text, "you said blue 7");
  EXPECT_TRUE(answer.audio.empty());
}

TEST_F(ConversationServiceTest, TurnsFollowEachOther) {
  StartServer();
  TestCall call(channel_);
  std::string last_id;
  for (int turn = 1; turn <= 5; ++turn) {
    ASSERT_TRUE(call.Ask("turn " + std::to_string(turn)));
    const auto answer = call.ReadAnswer();
    EXPECT_EQ(answer.text, "you said turn " + std::to_string(turn));
    EXPECT_NE(answer.done.response_id(), last_id);
    last_id = answer.done.response_id();
  }
}

TEST_F(ConversationServiceTest, TwoSessionsDoNotMix) {
  StartServer();
  const auto converse = [this](int number) {
    TestCall call(NewChannel());
    for (int turn = 0; turn < 20; ++turn) {
      ASSERT_TRUE(call.Ask("number " + std::to_string(number)));
      const auto answer = call.ReadAnswer();
      ASSERT_EQ(answer.text, "you said number " + std::to_string(number));
      ASSERT_NEAR(Middle(answer.audio), static_cast<float>(number) / 100.0f, 0.005f);
    }
    call.HalfClose();
    EXPECT_TRUE(call.End().ok());
  };
  std::thread other([&] { converse(30); });
  converse(60);
  other.join();
}

TEST_F(ConversationServiceTest, HalfCloseLetsTheResponseFinish) {
  StartServer({}, {.answer_frames = 50});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.HalfClose();
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.audio.size(), 50u * 1920u * 2u);
  EXPECT_TRUE(call.End().ok());
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(ConversationServiceTest, HalfCloseWithNothingDueEndsTheCall) {
  StartServer();
  TestCall call(channel_);
  ASSERT_TRUE(call.SendText("never committed"));
  call.HalfClose();
  EXPECT_TRUE(call.End().ok());
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(ConversationServiceTest, CancelStopsTheResponse) {
  StartServer({}, {.endless = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadUntil(Event::kAudioDelta);
  ASSERT_TRUE(call.Cancel());
  const Event done = call.ReadUntil(Event::kResponseDone);
  EXPECT_EQ(done.response_done().status(), v1::ResponseDone::STATUS_CANCELLED);
  ASSERT_TRUE(call.Ask("blue 8"));  // no delta of the old response comes in between
  const auto next = call.Read();
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->has_turn_ended()) << next->ShortDebugString();
}

TEST_F(ConversationServiceTest, AVoiceInterruptsTheAnswerAndIsTheNextTurn) {
  StartServer({}, {.endless = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  const std::string id = call.ReadUntil(Event::kAudioDelta).audio_delta().response_id();
  ASSERT_TRUE(call.SendAudio(Pcm(Voice(1500, 24000))));
  EXPECT_EQ(call.ReadUntil(Event::kPlaybackPaused).playback_paused().response_id(), id);
  const Event interrupted = call.ReadUntil(Event::kResponseInterrupted);
  EXPECT_EQ(interrupted.response_interrupted().response_id(), id);
  const Event done = call.ReadUntil(Event::kResponseDone);
  EXPECT_EQ(done.response_done().status(), v1::ResponseDone::STATUS_CANCELLED);
  EXPECT_EQ(call.ReadUntil(Event::kTurnEnded).turn_ended().transcript(), "some words");
}

TEST_F(ConversationServiceTest, AShortNoiseDoesNotInterruptTheAnswer) {
  StartServer({}, {.endless = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  const std::string id = call.ReadUntil(Event::kAudioDelta).audio_delta().response_id();
  std::vector<float> noise = Voice(200, 24000);
  noise.resize(24000);
  ASSERT_TRUE(call.SendAudio(Pcm(noise)));
  const Event paused = call.ReadUntil(Event::kPlaybackPaused);
  const Event resumed = call.ReadUntil(Event::kPlaybackResumed);
  EXPECT_EQ(resumed.playback_resumed().response_id(), id);
  EXPECT_EQ(resumed.playback_resumed().played_samples(), paused.playback_paused().played_samples());
  call.ReadUntil(Event::kAudioDelta);  // it goes on
}

TEST_F(ConversationServiceTest, AShortTurnInterruptsIt) {
  StartServer({}, {.endless = true, .frames_of_turn = 8, .forks = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadUntil(Event::kAudioDelta);
  std::vector<float> word = Voice(200, 24000);  // in which the fake finds words, and a turn
  word.resize(24000);
  ASSERT_TRUE(call.SendAudio(Pcm(word)));
  call.ReadUntil(Event::kPlaybackPaused);
  call.ReadUntil(Event::kResponseInterrupted);
  const Event done = call.ReadUntil(Event::kResponseDone);
  EXPECT_EQ(done.response_done().status(), v1::ResponseDone::STATUS_CANCELLED);
  EXPECT_EQ(call.ReadUntil(Event::kTurnEnded).turn_ended().transcript(), "some words");
  EXPECT_TRUE(engine_->WaitForSequences(1)) << "the fork is gone";
}

TEST_F(ConversationServiceTest, UnlessTheServerIsToJudgeBySound) {
  ServerOptions options;
  options.words_interrupt = false;
  StartServer(options, {.endless = true, .forks = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadUntil(Event::kAudioDelta);
  std::vector<float> word = Voice(200, 24000);
  word.resize(24000);
  ASSERT_TRUE(call.SendAudio(Pcm(word)));
  call.ReadUntil(Event::kPlaybackPaused);
  call.ReadUntil(Event::kPlaybackResumed);
}

TEST_F(ConversationServiceTest, ACancelSaysWhatWasHeard) {
  StartServer({}, {.answer_frames = 50});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  const std::string id = call.ReadUntil(Event::kResponseDone).response_done().response_id();
  v1::ClientEvent cancel;  // the answer is made, but most of it is still to be played
  cancel.mutable_cancel()->set_played_samples(2 * 1920 + 100);
  ASSERT_TRUE(call.Send(cancel));
  const Event interrupted = call.ReadUntil(Event::kResponseInterrupted);
  EXPECT_EQ(interrupted.response_interrupted().response_id(), id);
  EXPECT_EQ(interrupted.response_interrupted().played_samples(), 2u * 1920 + 100);
  EXPECT_EQ(interrupted.response_interrupted().heard_text(), "you said ") << "a word a frame";
}

TEST_F(ConversationServiceTest, ClearForgetsTheTurn) {
  StartServer();
  TestCall call(channel_);
  ASSERT_TRUE(call.SendText("forget this"));
  v1::ClientEvent clear;
  clear.mutable_clear();
  ASSERT_TRUE(call.Send(clear));
  ASSERT_TRUE(call.Ask("keep 9"));
  EXPECT_EQ(call.ReadAnswer().text, "you said keep 9");
}

TEST_F(ConversationServiceTest, PlaybackPositionsAreTakenWhateverTheySay) {
  StartServer();
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  const std::string id = call.ReadUntil(Event::kResponseStarted).response_started().response_id();
  for (const uint64_t played : {uint64_t{0}, UINT64_MAX, uint64_t{5}}) {
    for (const std::string& response : {id, std::string("nobody"), std::string()}) {
      v1::ClientEvent event;
      event.mutable_playback_position()->set_response_id(response);
      event.mutable_playback_position()->set_played_samples(played);
      ASSERT_TRUE(call.Send(event));
    }
  }
  EXPECT_EQ(call.ReadAnswer().done.status(), v1::ResponseDone::STATUS_COMPLETED);
  call.HalfClose();
  EXPECT_TRUE(call.End().ok());
}

}  // namespace
}  // namespace antiphon
