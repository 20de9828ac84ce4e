// Garbage in every field: each mistake is named, changes nothing, and the session goes on.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "antiphon/v1/conversation.pb.h"
#include "server/grpc_status.h"
#include "server/messages.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

struct Garbage {
  const char* what;
  std::function<void(v1::ClientEvent*)> fill;
  StatusCode code;
  const char* field;
};

v1::SessionConfig* Config(v1::ClientEvent* event) {
  return event->mutable_session_update()->mutable_config();
}

constexpr StatusCode kInvalid = StatusCode::kInvalidArgument;
constexpr StatusCode kMoment = StatusCode::kFailedPrecondition;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

const Garbage kGarbage[] = {
    {"no event", [](auto*) {}, kInvalid, "event"},
    {"long event id", [](auto* e) { e->set_event_id(std::string(65, 'x')), e->mutable_clear(); }, kInvalid,
     "event_id"},
    {"modality", [](auto* e) { Config(e)->add_output_modalities(static_cast<v1::Modality>(77)); }, kInvalid,
     "session_update.config.output_modalities"},
    {"many modalities",
     [](auto* e) {
       for (int i = 0; i < 1000; ++i) Config(e)->add_output_modalities(v1::MODALITY_TEXT);
     },
     kInvalid, "session_update.config.output_modalities"},
    {"input encoding",
     [](auto* e) { Config(e)->mutable_input_audio()->set_encoding(static_cast<v1::AudioEncoding>(-3)); },
     kInvalid, "session_update.config.input_audio.encoding"},
    {"input rate", [](auto* e) { Config(e)->mutable_input_audio()->set_sample_rate(1); }, kInvalid,
     "session_update.config.input_audio.sample_rate"},
    {"output encoding",
     [](auto* e) { Config(e)->mutable_output_audio()->set_encoding(static_cast<v1::AudioEncoding>(99)); },
     kInvalid, "session_update.config.output_audio.encoding"},
    {"G.711 at another rate",
     [](auto* e) {
       Config(e)->mutable_input_audio()->set_encoding(v1::AUDIO_ENCODING_G711_ULAW);
       Config(e)->mutable_input_audio()->set_sample_rate(16000);
     },
     kInvalid, "session_update.config.input_audio.sample_rate"},
    {"expected loss of input",
     [](auto* e) {
       Config(e)->mutable_input_audio()->set_encoding(v1::AUDIO_ENCODING_OPUS);
       Config(e)->mutable_input_audio()->set_expected_loss_percent(1);
     },
     kInvalid, "session_update.config.input_audio.expected_loss_percent"},
    {"expected loss",
     [](auto* e) {
       Config(e)->mutable_output_audio()->set_encoding(v1::AUDIO_ENCODING_OPUS);
       Config(e)->mutable_output_audio()->set_expected_loss_percent(UINT32_MAX);
     },
     kInvalid, "session_update.config.output_audio.expected_loss_percent"},
    {"a number of PCM16",
     [](auto* e) {
       e->mutable_audio_append()->set_audio("ab");
       e->mutable_audio_append()->set_packet_number(0);
     },
     kInvalid, "audio_append.packet_number"},
    {"output rate", [](auto* e) { Config(e)->mutable_output_audio()->set_sample_rate(UINT32_MAX); }, kInvalid,
     "session_update.config.output_audio.sample_rate"},
    {"turn detection mode",
     [](auto* e) {
       Config(e)->mutable_turn_detection()->set_mode(static_cast<v1::TurnDetection::Mode>(1 << 30));
     },
     kInvalid, "session_update.config.turn_detection.mode"},
    {"threshold", [](auto* e) { Config(e)->mutable_turn_detection()->set_threshold(kNan); }, kInvalid,
     "session_update.config.turn_detection.threshold"},
    {"silence", [](auto* e) { Config(e)->mutable_turn_detection()->set_max_silence_ms(1); }, kInvalid,
     "session_update.config.turn_detection.max_silence_ms"},
    {"eagerness",
     [](auto* e) {
       Config(e)->mutable_turn_detection()->set_eagerness(static_cast<v1::TurnDetection::Eagerness>(-9));
     },
     kInvalid, "session_update.config.turn_detection.eagerness"},
    {"silence of server VAD",
     [](auto* e) { Config(e)->mutable_turn_detection()->set_silence_duration_ms(UINT32_MAX); }, kInvalid,
     "session_update.config.turn_detection.silence_duration_ms"},
    {"padding", [](auto* e) { Config(e)->mutable_turn_detection()->set_prefix_padding_ms(UINT32_MAX); },
     kInvalid, "session_update.config.turn_detection.prefix_padding_ms"},
    {"VAD threshold", [](auto* e) { Config(e)->mutable_turn_detection()->set_vad_threshold(kNan); }, kInvalid,
     "session_update.config.turn_detection.vad_threshold"},
    {"temperature", [](auto* e) { Config(e)->mutable_sampling()->set_temperature(-1); }, kInvalid,
     "session_update.config.sampling.temperature"},
    {"top_k", [](auto* e) { Config(e)->mutable_sampling()->set_top_k(UINT32_MAX); }, kInvalid,
     "session_update.config.sampling.top_k"},
    {"top_p", [](auto* e) { Config(e)->mutable_sampling()->set_top_p(1e30f); }, kInvalid,
     "session_update.config.sampling.top_p"},
    {"penalty", [](auto* e) { Config(e)->mutable_sampling()->set_repetition_penalty(0.1f); }, kInvalid,
     "session_update.config.sampling.repetition_penalty"},
    {"response length", [](auto* e) { Config(e)->set_max_response_seconds(UINT32_MAX); }, kInvalid,
     "session_update.config.max_response_seconds"},
    {"voice", [](auto* e) { Config(e)->set_voice("nobody"); }, kInvalid, "session_update.config.voice"},
    {"speed", [](auto* e) { Config(e)->set_speed(static_cast<v1::Speed>(1 << 30)); }, kInvalid,
     "session_update.config.speed"},
    {"a speed of a model that has but one", [](auto* e) { Config(e)->set_speed(v1::SPEED_FAST); },
     StatusCode::kUnimplemented, "session_update.config.speed"},
    {"no audio", [](auto* e) { e->mutable_audio_append(); }, kInvalid, "audio_append.audio"},
    {"odd audio", [](auto* e) { e->mutable_audio_append()->set_audio("abc"); }, kInvalid,
     "audio_append.audio"},
    {"long audio", [](auto* e) { e->mutable_audio_append()->set_audio(std::string(96002, 'x')); }, kInvalid,
     "audio_append.audio"},
    {"no text", [](auto* e) { e->mutable_text_append(); }, kInvalid, "text_append.text"},
    {"long text", [](auto* e) { e->mutable_text_append()->set_text(std::string(4001, 'x')); }, kInvalid,
     "text_append.text"},
    {"a picture for a model that knows none",
     [](auto* e) { e->mutable_image_append()->set_media_type("image/png"); }, StatusCode::kUnimplemented,
     "image_append"},
    {"a video frame for a model that knows no pictures",
     [](auto* e) { e->mutable_video_frame()->set_media_type("image/png"); }, StatusCode::kUnimplemented,
     "video_frame"},
    {"too much video", [](auto* e) { Config(e)->set_max_video_frames(9); }, kInvalid,
     "session_update.config.max_video_frames"},
    {"a picture from a model that draws none",
     [](auto* e) { Config(e)->add_output_modalities(v1::MODALITY_IMAGE); }, StatusCode::kUnimplemented,
     "session_update.config.output_modalities"},
    {"commit of nothing", [](auto* e) { e->mutable_commit(); }, kMoment, ""},
    {"cancel of nothing", [](auto* e) { e->mutable_cancel(); }, kMoment, ""},
};

class GarbageTest : public ServerFixture {};

TEST_F(GarbageTest, EveryMistakeIsNamedAndTheSessionGoesOn) {
  StartServer();
  TestCall call(channel_);
  call.ReadUntil(v1::ServerEvent::kSessionCreated);
  for (const Garbage& garbage : kGarbage) {
    SCOPED_TRACE(garbage.what);
    v1::ClientEvent event;
    event.set_event_id(garbage.what);
    garbage.fill(&event);
    ASSERT_TRUE(call.Send(event));
    const auto answer = call.Read();
    ASSERT_TRUE(answer && answer->has_error()) << (answer ? answer->ShortDebugString() : "the call ended");
    EXPECT_EQ(answer->error().code(), static_cast<uint32_t>(ToGrpc(garbage.code)));
    EXPECT_EQ(answer->error().field(), garbage.field);
    EXPECT_FALSE(answer->error().message().empty());
    if (event.event_id().size() <= 64) {
      EXPECT_EQ(answer->error().event_id(), garbage.what);
    }
  }
  // Nothing was changed by all that.
  v1::ClientEvent update;
  update.mutable_session_update();
  ASSERT_TRUE(call.Send(update));
  const auto config = call.ReadUntil(v1::ServerEvent::kSessionUpdated).session_updated().config();
  EXPECT_EQ(config.ShortDebugString(), [] {
    const ServerEvent created = server_event::SessionUpdated{};
    return ToMessage(created).session_updated().config().ShortDebugString();
  }());
  ASSERT_TRUE(call.Ask("blue 7"));
  EXPECT_EQ(call.ReadAnswer().text, "you said blue 7");
}

TEST_F(GarbageTest, BytesThatAreNoOpusPacketAreRefused) {
  StartServer();
  TestCall call(channel_);
  v1::ClientEvent update;
  update.mutable_session_update()->mutable_config()->mutable_input_audio()->set_encoding(
      v1::AUDIO_ENCODING_OPUS);
  ASSERT_TRUE(call.Send(update));
  for (const std::string& packet : {std::string(), std::string(3, '\xff'), std::string(100'000, '\x03')}) {
    ASSERT_TRUE(call.SendAudio(packet));
    EXPECT_EQ(call.ReadUntil(v1::ServerEvent::kError).error().field(), "audio_append.audio");
  }
}

TEST(MessagesTest, EveryFieldOfAConfigurationSurvivesTheWayInAndOut) {
  v1::ClientEvent event;
  v1::SessionConfig* config = Config(&event);
  config->add_output_modalities(v1::MODALITY_TEXT);
  config->add_output_modalities(v1::MODALITY_IMAGE);
  config->mutable_input_audio()->set_encoding(v1::AUDIO_ENCODING_OPUS);
  config->mutable_input_audio()->set_sample_rate(48000);
  config->mutable_output_audio()->set_encoding(v1::AUDIO_ENCODING_OPUS);
  config->mutable_output_audio()->set_sample_rate(24000);
  config->mutable_output_audio()->set_expected_loss_percent(12);
  config->mutable_turn_detection()->set_mode(v1::TurnDetection::MODE_SERVER_VAD);
  config->mutable_turn_detection()->set_threshold(0.5f);
  config->mutable_turn_detection()->set_max_silence_ms(900);
  config->mutable_turn_detection()->set_eagerness(v1::TurnDetection::EAGERNESS_HIGH);
  config->mutable_turn_detection()->set_silence_duration_ms(450);
  config->mutable_turn_detection()->set_prefix_padding_ms(0);
  config->mutable_turn_detection()->set_vad_threshold(0.25f);
  config->mutable_sampling()->set_temperature(0.75f);
  config->mutable_sampling()->set_top_k(20);
  config->mutable_sampling()->set_top_p(0.5f);
  config->mutable_sampling()->set_repetition_penalty(1.25f);
  config->mutable_sampling()->set_seed(UINT64_MAX);
  config->set_max_response_seconds(9);
  config->set_max_video_frames(5);
  config->set_voice("low");
  config->set_speed(v1::SPEED_SLOW);
  config->mutable_interruption()->set_policy(v1::Interruption::POLICY_EAGER);
  config->mutable_interruption()->set_min_voice_ms(700);
  config->set_playback_delay_ms(120);
  config->set_max_lead_ms(800);
  config->mutable_speech_enhancement()->set_noise_suppression(
      v1::SpeechEnhancement::NOISE_SUPPRESSION_MODERATE);
  config->mutable_speech_enhancement()->set_echo_cancellation(true);
  v1::Function* function = config->mutable_functions()->add_functions();
  function->set_name("set_timer");
  function->set_description("Sets a timer");
  function->set_parameters(R"({"properties":{"minutes":{"type":"integer"}}})");
  config->set_instructions("be kind");
  const std::string sent = config->ShortDebugString();

  const ClientEvent plain = FromMessage(event, {});
  const auto applied =
      ApplyUpdate({}, std::get<client_event::SessionUpdate>(plain.event).config,
                  {.draws = true, .manners = true, .calls_functions = true, .instructions = true});
  ASSERT_TRUE(std::holds_alternative<SessionConfig>(applied));
  const auto back = ToMessage(server_event::SessionUpdated{std::get<SessionConfig>(applied)});
  EXPECT_EQ(back.session_updated().config().ShortDebugString(), sent);
}

TEST(MessagesTest, EveryKindOfTurnDetectionSurvivesTheWayInAndOut) {
  for (const auto mode :
       {v1::TurnDetection::MODE_NONE, v1::TurnDetection::MODE_SEMANTIC, v1::TurnDetection::MODE_SERVER_VAD}) {
    for (const auto eagerness : {v1::TurnDetection::EAGERNESS_LOW, v1::TurnDetection::EAGERNESS_MEDIUM,
                                 v1::TurnDetection::EAGERNESS_HIGH}) {
      v1::ClientEvent event;
      Config(&event)->mutable_turn_detection()->set_mode(mode);
      Config(&event)->mutable_turn_detection()->set_eagerness(eagerness);
      const ClientEvent plain = FromMessage(event, {});
      const auto applied = ApplyUpdate({}, std::get<client_event::SessionUpdate>(plain.event).config, {});
      ASSERT_TRUE(std::holds_alternative<SessionConfig>(applied));
      const auto back = ToMessage(server_event::SessionUpdated{std::get<SessionConfig>(applied)});
      const v1::TurnDetection& detection = back.session_updated().config().turn_detection();
      EXPECT_EQ(detection.mode(), mode);
      EXPECT_EQ(detection.eagerness(), eagerness);
      EXPECT_EQ(detection.prefix_padding_ms(), 300u) << "what is not set is told as its default";
      EXPECT_EQ(detection.vad_threshold(), 0.5f);
    }
  }
}

TEST(MessagesTest, EveryEncodingSurvivesTheWayInAndOut) {
  for (const v1::AudioEncoding encoding : {v1::AUDIO_ENCODING_PCM16, v1::AUDIO_ENCODING_OPUS,
                                           v1::AUDIO_ENCODING_G711_ULAW, v1::AUDIO_ENCODING_G711_ALAW}) {
    v1::ClientEvent event;
    Config(&event)->mutable_input_audio()->set_encoding(encoding);
    const ClientEvent plain = FromMessage(event, {});
    const auto applied =
        ApplyUpdate({}, std::get<client_event::SessionUpdate>(plain.event).config, ModelAbilities{});
    ASSERT_TRUE(std::holds_alternative<SessionConfig>(applied));
    const auto back = ToMessage(server_event::SessionUpdated{std::get<SessionConfig>(applied)});
    EXPECT_EQ(back.session_updated().config().input_audio().encoding(), encoding);
  }
}

TEST(MessagesTest, AnOutputIsAnsweredAtOnceUnlessTold) {
  v1::ClientEvent event;
  event.mutable_function_call_output()->set_call_id("call-1");
  event.mutable_function_call_output()->set_output("ok");
  const auto plain = [&] { return std::get<client_event::FunctionCallOutput>(FromMessage(event, {}).event); };
  EXPECT_EQ(plain().call_id, "call-1");
  EXPECT_EQ(plain().output, "ok");
  EXPECT_TRUE(plain().respond);
  event.mutable_function_call_output()->set_respond(true);
  EXPECT_TRUE(plain().respond);
  event.mutable_function_call_output()->set_respond(false);
  EXPECT_FALSE(plain().respond);
}

TEST(MessagesTest, ACallThatDoesNotFitSaysWhy) {
  const auto done = [](const char* fault) {
    return ToMessage(server_event::FunctionCallDone{"r", "call-1", "f", "{}", fault}).function_call_done();
  };
  EXPECT_TRUE(done("").fits());
  EXPECT_EQ(done("").fault(), "");
  EXPECT_FALSE(done("\"a\" is missing").fits());
  EXPECT_EQ(done("\"a\" is missing").fault(), "\"a\" is missing");
}

TEST(MessagesTest, APacketNumberIsThereOrNot) {
  v1::ClientEvent event;
  event.mutable_audio_append()->set_audio("ab");
  EXPECT_FALSE(std::get<client_event::AudioAppend>(FromMessage(event, {}).event).packet_number);
  event.mutable_audio_append()->set_packet_number(0);
  EXPECT_EQ(std::get<client_event::AudioAppend>(FromMessage(event, {}).event).packet_number, 0u);
  EXPECT_FALSE(ToMessage(server_event::AudioDelta{"r", "ab", 0}).audio_delta().has_packet_number());
  const auto numbered = ToMessage(server_event::AudioDelta{"r", "ab", 0, UINT32_MAX});
  EXPECT_EQ(numbered.audio_delta().packet_number(), UINT32_MAX);
}

}  // namespace
}  // namespace antiphon
