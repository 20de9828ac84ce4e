// The conversation against a real server that behaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <future>
#include <thread>

#include "antiphon/client.h"
#include "media/g711.h"
#include "media/opus.h"
#include "tests/client/client_fixture.h"

namespace antiphon::client {
namespace {

using namespace std::chrono_literals;
using testing::Call;
using testing::ScriptedServer;

TEST(ConversationTest, TellsTheSessionItsSettings) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  ConversationOptions options;
  options.input_audio = {AudioEncoding::kOpus, 48000};
  options.output_audio = {AudioEncoding::kPcm16, 16000};
  options.settings.speak = false;
  options.settings.turn_detection = TurnDetection{.mode = TurnDetectionMode::kServerVad,
                                                  .threshold = 0.5f,
                                                  .max_silence_ms = 700,
                                                  .eagerness = Eagerness::kHigh,
                                                  .silence_duration_ms = 400,
                                                  .prefix_padding_ms = 0,
                                                  .vad_threshold = 0.75f};
  options.settings.sampling = SamplingOptions{.temperature = 0.5f, .top_k = 3, .seed = 17};
  options.settings.max_response_seconds = 12;
  options.settings.voice = "low";
  options.settings.speed = SpeechSpeed::kSlow;
  options.settings.interruption = Interruption{Interruption::Policy::kEager, 700};
  options.settings.playback_delay_ms = 120;
  options.settings.max_lead_ms = 900;
  options.settings.enhancement = SpeechEnhancement{NoiseSuppression::kModerate, true};
  {
    const auto conversation = OpenOn(server, options);
    EXPECT_EQ(conversation->session().id, "session-1");
    EXPECT_EQ(conversation->session().model, "scripted");
    EXPECT_EQ(conversation->session().max_seconds, 600);
    // The script sends back what it was told: the way to the wire and the way from it.
    const SessionSettings& settings = conversation->session().settings;
    EXPECT_FALSE(*settings.speak);
    EXPECT_EQ(settings.turn_detection->max_silence_ms, 700);
    EXPECT_FLOAT_EQ(settings.turn_detection->threshold, 0.5f);
    EXPECT_EQ(settings.turn_detection->mode, TurnDetectionMode::kServerVad);
    EXPECT_EQ(settings.turn_detection->eagerness, Eagerness::kHigh);
    EXPECT_EQ(settings.turn_detection->silence_duration_ms, 400);
    EXPECT_EQ(settings.turn_detection->prefix_padding_ms, 0);
    EXPECT_EQ(settings.turn_detection->vad_threshold, 0.75f);
    EXPECT_EQ(settings.sampling->seed, 17u);
    EXPECT_EQ(settings.sampling->top_k, 3);
    EXPECT_EQ(*settings.max_response_seconds, 12);
    EXPECT_EQ(settings.voice, "low");
    EXPECT_EQ(settings.speed, SpeechSpeed::kSlow);
    ASSERT_TRUE(settings.interruption);
    EXPECT_EQ(settings.interruption->policy, Interruption::Policy::kEager);
    EXPECT_EQ(settings.interruption->min_voice_ms, 700);
    EXPECT_EQ(settings.playback_delay_ms, 120);
    EXPECT_EQ(settings.max_lead_ms, 900);
    ASSERT_TRUE(settings.enhancement);
    EXPECT_EQ(settings.enhancement->noise_suppression, NoiseSuppression::kModerate);
    EXPECT_TRUE(settings.enhancement->echo_cancellation);
  }
  ASSERT_TRUE(server.WaitForCalls(1));
  const v1::SessionConfig config = server.received().at(0).event.session_update().config();
  EXPECT_EQ(config.input_audio().encoding(), v1::AUDIO_ENCODING_OPUS);
  EXPECT_EQ(config.input_audio().sample_rate(), 48000u);
  EXPECT_EQ(config.output_audio().encoding(), v1::AUDIO_ENCODING_PCM16);
  EXPECT_EQ(config.output_audio().sample_rate(), 16000u);
  EXPECT_EQ(config.output_modalities_size(), 1);
  EXPECT_EQ(config.voice(), "low");
  EXPECT_EQ(config.speed(), v1::SPEED_SLOW);
}

TEST(ConversationTest, EveryKindOfTurnDetectionIsTold) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  for (const TurnDetectionMode mode :
       {TurnDetectionMode::kNone, TurnDetectionMode::kSemantic, TurnDetectionMode::kServerVad}) {
    for (const std::optional<Eagerness> eagerness :
         {std::optional<Eagerness>(), std::optional(Eagerness::kLow), std::optional(Eagerness::kMedium),
          std::optional(Eagerness::kHigh)}) {
      ConversationOptions options;
      options.settings.turn_detection = TurnDetection{.mode = mode, .eagerness = eagerness};
      const auto conversation = OpenOn(server, options);
      const auto& told = conversation->session().settings.turn_detection;
      ASSERT_TRUE(told);
      EXPECT_EQ(told->mode, mode);
      EXPECT_EQ(told->eagerness, eagerness);
      EXPECT_EQ(told->prefix_padding_ms, std::nullopt) << "what is unset is left to the server";
      EXPECT_EQ(told->vad_threshold, std::nullopt);
    }
  }
}

TEST(ConversationTest, ReportsEveryKindOfEvent) {
  const ScriptedServer server(AfterCreation([](Call& call) {
    v1::ServerEvent event;
    event.mutable_session_updated()->mutable_config()->set_max_response_seconds(9);
    call.Write(event);
    event.mutable_speech_started()->set_audio_offset_samples(100);
    call.Write(event);
    event.mutable_transcript_delta()->set_text("what is");
    call.Write(event);
    event.mutable_speech_stopped()->set_audio_offset_samples(900);
    call.Write(event);
    call.EndTurn("what is it", v1::TurnEnded::CAUSE_SILENCE);
    call.StartResponse();
    call.SendText("this");
    call.SendPcm({16384, -32768});
    call.SendDone(v1::ResponseDone::STATUS_INCOMPLETE);
    event.mutable_error()->set_code(9);
    event.mutable_error()->set_field("commit");
    event.mutable_error()->set_message("the turn is empty");
    call.Write(event);
  }));
  const auto conversation = OpenOn(server);
  EXPECT_EQ(*Next<SessionUpdated>(*conversation).settings.max_response_seconds, 9);
  EXPECT_EQ(Next<SpeechStarted>(*conversation).audio_offset_samples, 100u);
  EXPECT_EQ(Next<TranscriptDelta>(*conversation).text, "what is");
  EXPECT_EQ(Next<SpeechStopped>(*conversation).audio_offset_samples, 900u);
  const auto turn = Next<TurnEnded>(*conversation);
  EXPECT_EQ(turn.cause, TurnEndCause::kSilence);
  EXPECT_EQ(turn.transcript, "what is it");
  EXPECT_EQ(Next<ResponseStarted>(*conversation).response_id, "response-1");
  EXPECT_EQ(Next<TextDelta>(*conversation).text, "this");
  const auto audio = Next<AudioDelta>(*conversation);
  EXPECT_EQ(audio.samples, (std::vector<float>{0.5f, -1.0f}));
  const auto done = Next<ResponseDone>(*conversation);
  EXPECT_EQ(done.end, ResponseEnd::kIncomplete);
  EXPECT_EQ(done.text, "this");
  EXPECT_EQ(done.ledger.endpoint_decided_us, 1'100'000u);
  const auto error = Next<ServerError>(*conversation);
  EXPECT_EQ(error.status, FailedPrecondition("the turn is empty"));
  EXPECT_EQ(error.field, "commit");
  EXPECT_EQ(conversation->NextEvent(1ms).status().code(), StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(conversation->FinishInput().ok());
  EXPECT_TRUE(Next<Closed>(*conversation).status.ok());
  EXPECT_EQ(conversation->NextEvent(1ms).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(conversation->Commit().code(), StatusCode::kFailedPrecondition);
}

TEST(ConversationTest, SendsEveryKindOfMessageInOrder) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto conversation = OpenOn(server);
  const std::vector<int16_t> samples = {0, 1, -1, 32767, -32768, 12345};
  ASSERT_TRUE(conversation->AppendAudio(samples).ok());
  ASSERT_TRUE(conversation->AppendText("hello").ok());
  ASSERT_TRUE(conversation->Commit().ok());
  ASSERT_TRUE(conversation->Cancel().ok());
  ASSERT_TRUE(conversation->Clear().ok());
  ASSERT_TRUE(conversation->ReportPlayback("response-1", 77).ok());
  ASSERT_TRUE(conversation->Update({.speak = true}).ok());
  ASSERT_TRUE(conversation->FinishInput().ok());
  ASSERT_TRUE(server.WaitForCalls(1));
  const auto log = server.received();
  ASSERT_EQ(log.size(), 8u);
  EXPECT_EQ(log[1].event.audio_append().audio(),
            std::string(reinterpret_cast<const char*>(samples.data()), samples.size() * 2));
  EXPECT_EQ(log[2].event.text_append().text(), "hello");
  EXPECT_TRUE(log[3].event.has_commit());
  EXPECT_TRUE(log[4].event.has_cancel());
  EXPECT_TRUE(log[5].event.has_clear());
  EXPECT_EQ(log[6].event.playback_position().played_samples(), 77u);
  EXPECT_EQ(log[7].event.session_update().config().output_modalities_size(), 2);
  EXPECT_FALSE(log[7].event.session_update().config().has_input_audio());
}

TEST(ConversationTest, OpusGoesInWholePacketsAndCommitSendsTheRest) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto conversation = OpenOn(server, {.input_audio = {AudioEncoding::kOpus, 24000}});
  std::vector<float> tone(24000 / 2 + 7);
  for (size_t i = 0; i < tone.size(); ++i)
    tone[i] = 0.3f * static_cast<float>(std::sin(0.1 * static_cast<double>(i)));
  for (size_t start = 0; start < tone.size(); start += 100) {
    const auto piece =
        std::span<const float>(tone).subspan(start, std::min<size_t>(100, tone.size() - start));
    ASSERT_TRUE(conversation->AppendAudio(piece).ok());
  }
  ASSERT_TRUE(conversation->Commit().ok());
  ASSERT_TRUE(conversation->FinishInput().ok());
  ASSERT_TRUE(server.WaitForCalls(1));
  const auto log = server.received();
  ASSERT_EQ(log.size(), 1u + 26u + 1u);  // 25 packets, one with the rest of 7 samples, the commit
  auto decoder = OpusPacketDecoder::Create(24000);
  ASSERT_TRUE(decoder.ok());
  double energy = 0;
  size_t samples = 0;
  for (size_t i = 1; i <= 26; ++i) {
    const auto decoded = decoder->Decode(log[i].event.audio_append().audio());
    ASSERT_TRUE(decoded.ok());
    samples += decoded->size();
    for (const float x : *decoded) energy += static_cast<double>(x) * x;
  }
  EXPECT_EQ(samples, 26u * 480u);
  EXPECT_NEAR(std::sqrt(energy / static_cast<double>(tone.size())), 0.3 / std::sqrt(2.0), 0.03);
}

TEST(ConversationTest, SpeaksG711) {
  for (const AudioEncoding encoding : {AudioEncoding::kG711Ulaw, AudioEncoding::kG711Alaw}) {
    const G711Law law = encoding == AudioEncoding::kG711Ulaw ? G711Law::kMu : G711Law::kA;
    const std::string spoken = EncodeG711(std::vector<float>(160, 0.25f), law);
    const ScriptedServer server(AfterCreation([&](Call& call) {
      v1::ServerEvent event;
      event.mutable_audio_delta()->set_response_id("r");
      event.mutable_audio_delta()->set_audio(spoken);
      call.Write(event);
    }));
    const auto conversation =
        OpenOn(server, {.input_audio = {encoding, 8000}, .output_audio = {encoding, 8000}});
    const auto delta = Next<AudioDelta>(*conversation);
    ASSERT_EQ(delta.samples.size(), 160u);
    EXPECT_NEAR(delta.samples[80], 0.25f, 0.01f);
    ASSERT_TRUE(conversation->AppendAudio(std::vector<float>(12000, 0.5f)).ok());
    ASSERT_TRUE(conversation->FinishInput().ok());
    ASSERT_TRUE(server.WaitForCalls(1));
    const auto log = server.received();
    const v1::SessionConfig config = log.at(0).event.session_update().config();
    EXPECT_EQ(config.input_audio().encoding(),
              law == G711Law::kMu ? v1::AUDIO_ENCODING_G711_ULAW : v1::AUDIO_ENCODING_G711_ALAW);
    EXPECT_EQ(config.output_audio().encoding(), config.input_audio().encoding());
    ASSERT_EQ(log.size(), 3u) << "a second, and the half behind it";
    EXPECT_EQ(log[1].event.audio_append().audio(), EncodeG711(std::vector<float>(8000, 0.5f), law));
    EXPECT_EQ(log[2].event.audio_append().audio().size(), 4000u);
  }
}

TEST(ConversationTest, RelaysOpusPacketsWithTheirNumbers) {
  const ScriptedServer server(AfterCreation([](Call& call) {
    call.StartResponse();
    v1::ServerEvent event;
    event.mutable_response_done()->set_response_id("r");
    event.mutable_response_done()->set_status(v1::ResponseDone::STATUS_COMPLETED);
    v1::PacketFates* fates = event.mutable_response_done()->mutable_usage()->mutable_input_packets();
    fates->set_recovered(1);
    fates->set_concealed(2);
    fates->set_late(3);
    fates->set_duplicates(4);
    call.Write(event);
  }));
  const auto conversation = OpenOn(server, {.input_audio = {AudioEncoding::kOpus, 24000, 25}});
  ASSERT_TRUE(conversation->AppendOpusPacket("one", UINT32_MAX).ok());
  ASSERT_TRUE(conversation->AppendOpusPacket("two", 0).ok());
  ASSERT_TRUE(conversation->AppendOpusPacket("three", std::nullopt).ok());
  EXPECT_EQ(conversation->AppendOpusPacket("", 1).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(conversation->AppendOpusPacket(std::string(65537, 'x'), 1).code(), StatusCode::kInvalidArgument);
  Next<ResponseStarted>(*conversation);
  const PacketFates fates = Next<ResponseDone>(*conversation).usage.input_packets;
  EXPECT_EQ(fates.recovered, 1);
  EXPECT_EQ(fates.concealed, 2);
  EXPECT_EQ(fates.late, 3);
  EXPECT_EQ(fates.duplicates, 4);
  ASSERT_TRUE(conversation->FinishInput().ok());
  ASSERT_TRUE(server.WaitForCalls(1));
  const auto log = server.received();
  ASSERT_EQ(log.size(), 4u);
  EXPECT_EQ(log[0].event.session_update().config().input_audio().expected_loss_percent(), 0u)
      << "it is for the encoder here";
  EXPECT_EQ(log[1].event.audio_append().packet_number(), UINT32_MAX);
  EXPECT_EQ(log[1].event.audio_append().audio(), "one");
  EXPECT_TRUE(log[2].event.audio_append().has_packet_number());
  EXPECT_EQ(log[2].event.audio_append().packet_number(), 0u);
  EXPECT_FALSE(log[3].event.audio_append().has_packet_number());
}

TEST(ConversationTest, PreparesForLossBothWays) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const AudioFormat format{AudioEncoding::kOpus, 24000, 20};
  const auto conversation = OpenOn(server, {.input_audio = format, .output_audio = format});
  ASSERT_TRUE(conversation->AppendAudio(std::vector<float>(480)).ok());
  ASSERT_TRUE(conversation->FinishInput().ok());
  ASSERT_TRUE(server.WaitForCalls(1));
  const auto log = server.received();
  EXPECT_EQ(log.at(0).event.session_update().config().output_audio().expected_loss_percent(), 20u);
  // The speech layer, which alone has copies; the usual low-delay mode does without it (RFC 6716,
  // section 3.1).
  EXPECT_EQ(log.at(1).event.audio_append().audio().at(0) & 0x80, 0);
}

TEST(ConversationTest, DecodesOpus) {
  const ScriptedServer server(AfterCreation([](Call& call) {
    auto encoder = OpusPacketEncoder::Create({.sample_rate = 48000});
    v1::ServerEvent event;
    v1::AudioDelta& delta = *event.mutable_audio_delta();
    delta.set_response_id("r");
    delta.set_audio(*encoder->Encode(std::vector<float>(960, 0.25f)));
    call.Write(event);
    delta.set_audio("not opus at all, by no means: the table of contents promises more than there is");
    call.Write(event);
  }));
  const auto conversation = OpenOn(server, {.output_audio = {AudioEncoding::kOpus, 48000}});
  EXPECT_EQ(Next<AudioDelta>(*conversation).samples.size(), 960u);
  const Status status = Next<Closed>(*conversation).status;
  EXPECT_EQ(status.code(), StatusCode::kDataLoss) << status.ToString();
}

TEST(ConversationTest, ListenerGetsEverythingAndMaySend) {
  const ScriptedServer server(testing::AnsweringScript(24000));
  std::promise<Status> closed;
  std::atomic<int> deltas = 0;
  std::atomic<Conversation*> self = nullptr;
  ConversationOptions options;
  options.listener = [&](const Event& event) {
    if (std::holds_alternative<AudioDelta>(event.body)) ++deltas;
    if (std::holds_alternative<ResponseDone>(event.body)) (void)self.load()->FinishInput();
    if (const auto* end = std::get_if<Closed>(&event.body)) closed.set_value(end->status);
  };
  const auto conversation = OpenOn(server, options);
  self = conversation.get();
  EXPECT_EQ(conversation->NextEvent(1ms).status().code(), StatusCode::kFailedPrecondition);
  ASSERT_TRUE(conversation->AppendText("hello").ok());
  ASSERT_TRUE(conversation->Commit().ok());
  auto future = closed.get_future();
  ASSERT_EQ(future.wait_for(5s), std::future_status::ready);
  EXPECT_TRUE(future.get().ok());
  EXPECT_EQ(deltas, 5);
}

TEST(ConversationTest, UnknownEventsAreSkipped) {
  const ScriptedServer server(AfterCreation([](Call& call) {
    call.Write({});  // what a later server's event looks like to this client
    call.EndTurn("after");
  }));
  EXPECT_EQ(Next<TurnEnded>(*OpenOn(server)).transcript, "after");
}

TEST(ClientTest, ListsModels) {
  const ScriptedServer server([](Call&) { return grpc::Status::OK; });
  const auto models = ConnectTo(server)->ListModels();
  ASSERT_TRUE(models.ok());
  ASSERT_EQ(models->size(), 1u);
  EXPECT_EQ(models->at(0).name, "scripted");
  EXPECT_EQ(models->at(0).parameters, 12'345'678u);
  EXPECT_TRUE(models->at(0).hears);
  EXPECT_FALSE(models->at(0).speaks);
  EXPECT_EQ(models->at(0).frame_ms, 80);
  EXPECT_TRUE(models->at(0).sees);
  EXPECT_FALSE(models->at(0).draws);
  EXPECT_EQ(models->at(0).image_side, 64);
  EXPECT_EQ(models->at(0).image_grid, 8);
  EXPECT_EQ(models->at(0).voices, (std::vector<std::string>{"own", "low"}));
  EXPECT_EQ(models->at(0).speeds, (std::vector<SpeechSpeed>{SpeechSpeed::kNormal, SpeechSpeed::kFast}));
}

}  // namespace
}  // namespace antiphon::client
