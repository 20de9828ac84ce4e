// The model's turn: deltas, cancelling, and the accounts.
#include <gtest/gtest.h>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using State = ConversationState;
using server_event::AudioDelta;
using server_event::TextDelta;

class ResponseTest : public ConversationFixture {
 protected:
  uint64_t SamplesSent() const {
    uint64_t samples = 0;
    for (const auto& delta : All<AudioDelta>()) samples += delta.audio.size() / 2;
    return samples;
  }
};

TEST_F(ResponseTest, ATypedTurnIsAnsweredAndAccountedFor) {
  Advance(100);
  Client(client_event::TextAppend{"hello"});
  Advance(50);
  const TimePoint committed = clock_.Now();
  Client(client_event::Commit{});
  EXPECT_EQ(record_->texts, std::vector<std::string>{"hello"});
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
  Advance(3);
  const TimePoint endpoint = clock_.Now();
  EngineAnswers(1, TurnEndCause::kCommit);
  Advance(7);
  const TimePoint symbol = clock_.Now();
  Engine(1, ResponseText{"good ", symbol});
  Engine(1, ResponseText{"morning", symbol});
  Advance(20);
  const TimePoint frame = clock_.Now();
  Advance(2);  // on its way from the engine's thread
  const TimePoint packet = clock_.Now();
  Engine(1, ResponseAudio{std::vector<float>(1280, 0.5f), frame});
  Advance(30);
  EngineSpeaks();
  EngineIsDone();

  EXPECT_EQ(One<server_event::TurnEnded>().cause, TurnEndCause::kCommit);
  EXPECT_EQ(One<server_event::TurnEnded>().transcript, "what was heard");
  const std::string id = One<server_event::ResponseStarted>().response_id;
  const auto texts = All<TextDelta>();
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].text + texts[1].text, "good morning");
  EXPECT_EQ(texts[0].response_id, id);

  const auto done = One<server_event::ResponseDone>();
  EXPECT_EQ(done.response_id, id);
  EXPECT_EQ(done.end, ResponseEnd::kCompleted);
  EXPECT_EQ(done.text, "good morning");
  EXPECT_EQ(done.usage.heard_frames, 7);
  EXPECT_EQ(done.usage.input_text_pieces, 3);
  EXPECT_EQ(done.usage.output_text_pieces, 4);
  EXPECT_EQ(done.usage.spoken_frames, 5);
  EXPECT_EQ(done.usage.context_positions, 60);
  EXPECT_EQ(done.ledger.last_speech_received_us, Micros(committed));
  EXPECT_EQ(done.ledger.endpoint_decided_us, Micros(endpoint));
  EXPECT_EQ(done.ledger.first_symbol_us, Micros(symbol));
  EXPECT_EQ(done.ledger.first_frame_us, Micros(frame));
  EXPECT_EQ(done.ledger.first_packet_sent_us, Micros(packet));
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(ResponseTest, AWrittenAnswersFirstPacketIsItsFirstText) {
  Client(client_event::SessionUpdate{{.output_modalities = {1}}});
  Advance(10);
  BeginAnswer();
  Advance(5);
  Engine(1, ResponseText{"good", clock_.Now()});
  const TimePoint sent = clock_.Now();
  Advance(5);
  EngineIsDone();
  const auto ledger = One<server_event::ResponseDone>().ledger;
  EXPECT_EQ(ledger.first_packet_sent_us, Micros(sent));
  EXPECT_EQ(ledger.first_frame_us, 0u);
  EXPECT_EQ(ledger.least_margin_ms, 0);
}

TEST_F(ResponseTest, EveryResponseHasAnIdOfItsOwnAndALedgerOfItsOwn) {
  Advance(10);
  BeginAnswer();
  EngineSpeaks();
  EngineIsDone();
  Client(client_event::TextAppend{"more"});
  Client(client_event::Commit{});
  EngineAnswers(2);
  EngineIsDone(2);
  const auto done = All<server_event::ResponseDone>();
  ASSERT_EQ(done.size(), 2u);
  EXPECT_NE(done[0].response_id, done[1].response_id);
  EXPECT_NE(done[0].ledger.first_frame_us, 0u);
  EXPECT_EQ(done[1].ledger.first_frame_us, 0u);
}

TEST_F(ResponseTest, SpeechIsCompleteAndNumberedWithoutAGap) {
  BeginAnswer();
  for (int i = 0; i < 10; ++i) EngineSpeaks();
  EngineIsDone();
  uint64_t next = 0;
  for (const auto& delta : All<AudioDelta>()) {
    EXPECT_EQ(delta.first_sample, next);
    next += delta.audio.size() / 2;
  }
  EXPECT_EQ(next, 10u * 1920u) << "800 ms at 24 kHz";
}

TEST_F(ResponseTest, PcmAtTheModelsRateIsTheModelsSamples) {
  Client(client_event::SessionUpdate{{.output_audio = {{1, 16000}}}});
  BeginAnswer();
  EngineSpeaks(1, 0.25f);
  const auto delta = One<AudioDelta>();
  EXPECT_EQ(delta.audio, EncodePcm16(std::vector<float>(1280, 0.25f)));
}

TEST_F(ResponseTest, SpeaksOpusInPacketsOf20Ms) {
  for (const uint32_t rate : {24000u, 48000u}) {
    SCOPED_TRACE(rate);
    events_.clear();
    Client(client_event::SessionUpdate{{.output_audio = {{2, rate}}}});
    BeginAnswer();
    for (int i = 0; i < 5; ++i) EngineSpeaks();
    EngineIsDone();
    auto decoder = OpusPacketDecoder::Create(static_cast<int>(rate));
    ASSERT_TRUE(decoder.ok());
    uint64_t next = 0;
    for (const auto& delta : All<AudioDelta>()) {
      EXPECT_EQ(delta.first_sample, next);
      const auto samples = decoder->Decode(delta.audio);
      ASSERT_TRUE(samples.ok());
      EXPECT_EQ(samples->size(), rate / 50);
      next += samples->size();
    }
    // 400 ms, and a packet more for what the encoder still held.
    EXPECT_EQ(next, rate / 50 * 21);
  }
}

TEST_F(ResponseTest, OutputSettingsWaitForTheNextResponse) {
  BeginAnswer();
  EngineSpeaks();
  Client(client_event::SessionUpdate{{.output_audio = {{1, 16000}}}});
  EngineSpeaks();
  EngineIsDone();
  EXPECT_EQ(SamplesSent(), 2u * 1920u);
}

TEST_F(ResponseTest, CancelStopsTheDeltasAtOnce) {
  BeginAnswer();
  Engine(1, ResponseText{"good ", clock_.Now()});
  EngineSpeaks();
  const uint64_t sent = SamplesSent();
  Client(client_event::Cancel{});
  EXPECT_EQ(record_->cuts, std::vector<int>{0});
  EXPECT_EQ(media_dropped_, std::vector<std::string>{"response-1"});
  EXPECT_EQ(state(), State::kCancelling);
  Engine(1, ResponseText{"morning", clock_.Now()});
  EngineSpeaks();
  EngineIsDone(1, ResponseEnd::kCompleted);  // it was done before it was told
  EXPECT_EQ(SamplesSent(), sent);
  const auto done = One<server_event::ResponseDone>();
  EXPECT_EQ(done.end, ResponseEnd::kCancelled);
  EXPECT_EQ(done.text, "good ") << "as in the deltas";
  EXPECT_EQ(state(), State::kWaiting);
}

TEST_F(ResponseTest, ACancelMayComeBeforeTheEngineHasBegun) {
  Client(client_event::TextAppend{"hello"});
  Client(client_event::Commit{});
  Client(client_event::Cancel{});
  EXPECT_TRUE(record_->cuts.empty()) << "there is nothing to cancel yet";
  EngineAnswers();
  EXPECT_EQ(record_->cuts, std::vector<int>{0});
  Engine(1, ResponseText{"good", clock_.Now()});
  EngineIsDone(1, ResponseEnd::kCancelled);
  EXPECT_TRUE(All<TextDelta>().empty());
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kCancelled);
  // The next turn is answered as ever.
  Client(client_event::TextAppend{"more"});
  Client(client_event::Commit{});
  EngineAnswers(2);
  EXPECT_EQ(record_->cuts.size(), 1u);
}

TEST_F(ResponseTest, SpeechAfterACancelIsHeardWhereItWasSaid) {
  Client(client_event::TextAppend{"hello"});
  Client(client_event::Commit{});
  Client(client_event::Cancel{});
  Pause(200);
  Speak(500);
  EXPECT_TRUE(record_->frames.empty());
  EngineAnswers(1, TurnEndCause::kCommit);
  EngineIsDone(1, ResponseEnd::kCancelled);
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_FALSE(record_->frames.empty());
  const auto offset = static_cast<double>(One<server_event::SpeechStarted>().audio_offset_samples);
  EXPECT_NEAR(offset, 0.2 * kRate, 0.1 * kRate);
}

TEST_F(ResponseTest, WhatTheMomentForbidsIsRefused) {
  events_.clear();
  Client(client_event::Cancel{});
  ExpectError(StatusCode::kFailedPrecondition, "", "no response");
  Client(client_event::TextAppend{"hello"});
  Client(client_event::Commit{});
  Client(client_event::Commit{});
  ExpectError(StatusCode::kFailedPrecondition, "", "under way");
  EngineAnswers();
  events_.clear();
  Client(client_event::Commit{});
  ExpectError(StatusCode::kFailedPrecondition, "", "under way");
  Client(client_event::TextAppend{"more"});
  ExpectError(StatusCode::kFailedPrecondition, "", "under way");
  Client(client_event::Clear{});
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(record_->clears, 0);
  Client(client_event::Cancel{});
  Client(client_event::Cancel{});
  ExpectError(StatusCode::kFailedPrecondition, "", "no response");
}

TEST_F(ResponseTest, AudioThatMayNotInterruptIsDroppedButCounted) {
  Client(client_event::SessionUpdate{{.interruption = {{1, 0}}}});
  BeginAnswer();
  Speak(1000);
  EXPECT_TRUE(record_->frames.empty());
  EXPECT_TRUE(All<server_event::SpeechStarted>().empty());
  EngineIsDone();
  Pause(500);
  Speak(500);
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStarted>().audio_offset_samples), 1.5 * kRate,
              0.05 * kRate);
}

TEST_F(ResponseTest, WhatIsSaidWhileAResponseStopsIsHeard) {
  BeginAnswer();
  Client(client_event::Cancel{});
  Speak(300);
  EXPECT_TRUE(record_->frames.empty());
  EngineIsDone(1, ResponseEnd::kCancelled);
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(record_->frames.size(), 3u);
}

TEST_F(ResponseTest, MoreThanTwoSecondsSaidWhileAResponseStopsAreHeldBack) {
  BeginAnswer();
  Client(client_event::Cancel{});
  int seconds = 0;
  for (; conversation_->accepts_input() && seconds < 100; ++seconds) {
    Client(client_event::AudioAppend{EncodePcm16(Voice(1000, kRate))});
  }
  EXPECT_EQ(seconds, 2);
  record_->room = 10;
  EngineIsDone(1, ResponseEnd::kCancelled);
  EXPECT_FALSE(conversation_->accepts_input()) << "the engine has no room for all of it";
  EngineRunsFrames(100);
  EXPECT_TRUE(conversation_->accepts_input());
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(record_->frames.size(), 24u);
}

TEST_F(ResponseTest, LateResultsOfAnEarlierTurnAreDropped) {
  BeginAnswer();
  EngineIsDone();
  Client(client_event::TextAppend{"more"});
  Client(client_event::Commit{});
  EngineAnswers(2);
  events_.clear();
  Engine(1, ResponseText{"old", clock_.Now()});
  EngineSpeaks(1);
  EngineIsDone(1);
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(state(), State::kResponding);
}

TEST_F(ResponseTest, AFaultOfTheModelIsToldAndTheSessionGoesOn) {
  BeginAnswer();
  Engine(1, ResponseDone{ResponseEnd::kFailed, Internal("the model has stumbled"), 0, 0, 0, 9});
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kFailed);
  ExpectError(StatusCode::kInternal, "", "stumbled");
  Client(client_event::TextAppend{"again"});
  Client(client_event::Commit{});
  EXPECT_EQ(record_->ends.size(), 2u);
}

TEST_F(ResponseTest, AnEndAtALimitIsPassedOn) {
  BeginAnswer();
  EngineIsDone(1, ResponseEnd::kIncomplete);
  EXPECT_EQ(One<server_event::ResponseDone>().end, ResponseEnd::kIncomplete);
}

TEST_F(ResponseTest, CountsMarginsAndGapsAgainstTheClock) {
  Client(client_event::SessionUpdate{{.output_audio = {{1, 16000}}}});
  BeginAnswer();
  EngineSpeaks();
  Advance(50);
  EngineSpeaks();  // 30 ms ahead
  Advance(120);
  EngineSpeaks();  // 160 sent, 170 gone: a gap
  EngineIsDone();
  const auto ledger = One<server_event::ResponseDone>().ledger;
  EXPECT_EQ(ledger.least_margin_ms, 0);
  EXPECT_EQ(ledger.underruns, 1);
}

TEST_F(ResponseTest, BelievesTheClientsPlaybackPosition) {
  Client(client_event::SessionUpdate{{.output_audio = {{1, 16000}}}});
  BeginAnswer();
  EngineSpeaks();
  Advance(70);
  const std::string id = One<server_event::ResponseStarted>().response_id;
  Client(client_event::PlaybackPosition{"response-99", 1280});  // of none that is under way
  Client(client_event::PlaybackPosition{id, 320});              // it began 50 ms late
  EngineSpeaks();                                               // 60 ms ahead, not 10
  EngineIsDone();
  Client(client_event::PlaybackPosition{id, 2560});  // over: nothing to count
  const auto ledger = One<server_event::ResponseDone>().ledger;
  EXPECT_EQ(ledger.least_margin_ms, 60);
  EXPECT_EQ(ledger.underruns, 0);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(ResponseTest, AHalfClosedConversationFinishesItsResponse) {
  EXPECT_FALSE(conversation_->finished());
  Client(client_event::TextAppend{"hello"});
  Client(client_event::Commit{});
  conversation_->OnHalfClose();
  EXPECT_FALSE(conversation_->finished());
  EngineAnswers();
  EXPECT_FALSE(conversation_->finished());
  EngineIsDone();
  EXPECT_TRUE(conversation_->finished());
}

TEST_F(ResponseTest, AHalfClosedConversationWithNothingDueIsFinished) {
  Client(client_event::TextAppend{"hello"});
  conversation_->OnHalfClose();
  EXPECT_TRUE(conversation_->finished());
}

TEST_F(ResponseTest, TheSequenceIsFreedWithTheConversation) {
  EXPECT_FALSE(record_->freed);
  conversation_.reset();
  EXPECT_TRUE(record_->freed);
}

TEST(ConversationTest, RefusesAModelItCannotListenFor) {
  struct : EventSink {
    void Send(ServerEvent) override {}
    void DropMedia(const std::string&) override {}
  } sink;
  ManualClock clock;
  ModelDescription model = TestModel();
  model.sample_rate = 24000;
  auto record = std::make_shared<SequenceRecord>();
  const auto made =
      Conversation::Create({}, model, std::make_unique<RecordingSequence>(record), {}, clock, sink);
  EXPECT_EQ(made.status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(record->freed);
}

}  // namespace
}  // namespace antiphon
