#include "conversation/session_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace antiphon {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

constexpr ModelAbilities kEverything{.draws = true, .manners = true};

struct Mistake {
  const char* what;
  ConfigUpdate update;
  const char* field;
  const char* limit;  // must be in the message
};

const Mistake kMistakes[] = {
    {"unknown modality", {.output_modalities = {4}}, "output_modalities", "MODALITY_TEXT"},
    {"unspecified modality", {.output_modalities = {0}}, "output_modalities", "MODALITY_TEXT"},
    {"negative modality", {.output_modalities = {-1}}, "output_modalities", "MODALITY_TEXT"},
    {"four modalities", {.output_modalities = {1, 2, 3, 1}}, "output_modalities", "at most 3"},
    {"unknown input encoding", {.input_audio = {{5, 24000}}}, "input_audio.encoding", "PCM16"},
    {"negative input encoding", {.input_audio = {{-7, 24000}}}, "input_audio.encoding", "PCM16"},
    {"input rate", {.input_audio = {{1, 44100}}}, "input_audio.sample_rate", "8000, 16000, 24000 or 48000"},
    {"huge input rate", {.input_audio = {{1, UINT32_MAX}}}, "input_audio.sample_rate", "48000"},
    {"Opus at 16 kHz", {.input_audio = {{2, 16000}}}, "input_audio.sample_rate", "24000 or 48000 for Opus"},
    {"mu-law at 16 kHz", {.input_audio = {{3, 16000}}}, "input_audio.sample_rate", "8000 for G.711"},
    {"A-law at 24 kHz", {.output_audio = {{4, 24000}}}, "output_audio.sample_rate", "8000 for G.711"},
    {"Opus at 8 kHz", {.input_audio = {{2, 8000}}}, "input_audio.sample_rate", "24000 or 48000 for Opus"},
    {"loss of input", {.input_audio = {{2, 0, 5}}}, "input_audio.expected_loss_percent", "Opus output"},
    {"loss of PCM16", {.output_audio = {{1, 0, 5}}}, "output_audio.expected_loss_percent", "Opus output"},
    {"too much loss", {.output_audio = {{2, 0, 31}}}, "output_audio.expected_loss_percent", "0 to 30"},
    {"unknown output encoding", {.output_audio = {{5, 24000}}}, "output_audio.encoding", "OPUS"},
    {"output rate", {.output_audio = {{1, 11025}}}, "output_audio.sample_rate", "16000"},
    {"Opus out at 44.1", {.output_audio = {{2, 44100}}}, "output_audio.sample_rate", "24000 or 48000"},
    {"unknown mode", {.turn_detection = {{4, 0, 0}}}, "turn_detection.mode", "MODE_SERVER_VAD (3)"},
    {"negative mode", {.turn_detection = {{-1, 0, 0}}}, "turn_detection.mode", "MODE_NONE (1)"},
    {"threshold 1", {.turn_detection = {{2, 1.0f, 0}}}, "turn_detection.threshold", "below 1"},
    {"threshold below 0", {.turn_detection = {{2, -0.1f, 0}}}, "turn_detection.threshold", "above 0"},
    {"threshold NaN", {.turn_detection = {{2, kNan, 0}}}, "turn_detection.threshold", "above 0"},
    {"short silence", {.turn_detection = {{2, 0, 199}}}, "turn_detection.max_silence_ms", "200 to 10000"},
    {"long silence", {.turn_detection = {{2, 0, 10001}}}, "turn_detection.max_silence_ms", "200 to 10000"},
    {"unknown eagerness",
     {.turn_detection = {{.eagerness = 4}}},
     "turn_detection.eagerness",
     "EAGERNESS_HIGH (3)"},
    {"negative eagerness",
     {.turn_detection = {{.eagerness = -1}}},
     "turn_detection.eagerness",
     "EAGERNESS_LOW (1)"},
    {"short silence of server VAD",
     {.turn_detection = {{.mode = 3, .silence_duration_ms = 199}}},
     "turn_detection.silence_duration_ms",
     "200 to 5000"},
    {"long silence of server VAD",
     {.turn_detection = {{.mode = 3, .silence_duration_ms = 5001}}},
     "turn_detection.silence_duration_ms",
     "200 to 5000"},
    {"a mistake in a value of another mode",
     {.turn_detection = {{.mode = 1, .silence_duration_ms = 1}}},
     "turn_detection.silence_duration_ms",
     "200 to 5000"},
    {"long padding",
     {.turn_detection = {{.prefix_padding_ms = 1001}}},
     "turn_detection.prefix_padding_ms",
     "0 to 1000"},
    {"VAD threshold above 1",
     {.turn_detection = {{.vad_threshold = 1.01f}}},
     "turn_detection.vad_threshold",
     "0 to 1"},
    {"VAD threshold below 0",
     {.turn_detection = {{.vad_threshold = -0.01f}}},
     "turn_detection.vad_threshold",
     "0 to 1"},
    {"VAD threshold NaN",
     {.turn_detection = {{.vad_threshold = kNan}}},
     "turn_detection.vad_threshold",
     "0 to 1"},
    {"temperature", {.sampling = {{.temperature = 2.01f}}}, "sampling.temperature", "0 to 2"},
    {"temperature NaN", {.sampling = {{.temperature = kNan}}}, "sampling.temperature", "0 to 2"},
    {"temperature -inf", {.sampling = {{.temperature = -kInfinity}}}, "sampling.temperature", "0 to 2"},
    {"top_k", {.sampling = {{.top_k = 10001}}}, "sampling.top_k", "at most 10000"},
    {"top_p", {.sampling = {{.top_p = 1.5f}}}, "sampling.top_p", "at most 1"},
    {"top_p below 0", {.sampling = {{.top_p = -0.5f}}}, "sampling.top_p", "above 0"},
    {"top_p inf", {.sampling = {{.top_p = kInfinity}}}, "sampling.top_p", "at most 1"},
    {"penalty below 1",
     {.sampling = {{.repetition_penalty = 0.5f}}},
     "sampling.repetition_penalty",
     "1 to 2"},
    {"penalty NaN", {.sampling = {{.repetition_penalty = kNan}}}, "sampling.repetition_penalty", "1 to 2"},
    {"response length", {.max_response_seconds = 61}, "max_response_seconds", "1 to 60"},
    {"unknown voice", {.voice = "Own"}, "voice", "\"own\" or \"low\""},
    {"endless voice", {.voice = std::string(65, 'x')}, "voice", "65 bytes"},
    {"unknown speed", {.speed = 4}, "speed", "SPEED_FAST (3)"},
    {"negative speed", {.speed = -1}, "speed", "SPEED_SLOW (1)"},
    {"unknown policy", {.interruption = {{4, 0}}}, "interruption.policy", "POLICY_EAGER (3)"},
    {"negative policy", {.interruption = {{-1, 0}}}, "interruption.policy", "POLICY_OFF (1)"},
    {"short voice", {.interruption = {{2, 99}}}, "interruption.min_voice_ms", "100 to 3000"},
    {"long voice", {.interruption = {{2, 3001}}}, "interruption.min_voice_ms", "100 to 3000"},
    {"unknown suppression",
     {.speech_enhancement = {{5}}},
     "speech_enhancement.noise_suppression",
     "NOISE_SUPPRESSION_HIGH (4)"},
    {"negative suppression",
     {.speech_enhancement = {{-1}}},
     "speech_enhancement.noise_suppression",
     "NOISE_SUPPRESSION_OFF (1)"},
    {"long delay", {.playback_delay_ms = 2001}, "playback_delay_ms", "0 to 2000"},
    {"short lead", {.max_lead_ms = 199}, "max_lead_ms", "200 to 60000"},
    {"long lead", {.max_lead_ms = 60001}, "max_lead_ms", "200 to 60000"},
};

TEST(SessionConfigTest, NamesTheFieldAndTheLimitOfEveryMistake) {
  for (const Mistake& mistake : kMistakes) {
    SCOPED_TRACE(mistake.what);
    const auto applied = ApplyUpdate(SessionConfig{}, mistake.update, kEverything);
    const auto* refusal = std::get_if<Refusal>(&applied);
    ASSERT_NE(refusal, nullptr);
    EXPECT_EQ(refusal->status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(refusal->field, std::string("session_update.config.") + mistake.field);
    EXPECT_NE(refusal->status.message().find(mistake.limit), std::string::npos) << refusal->status.message();
  }
}

SessionConfig Applied(const SessionConfig& current, const ConfigUpdate& update) {
  const auto applied = ApplyUpdate(current, update, kEverything);
  EXPECT_TRUE(std::holds_alternative<SessionConfig>(applied));
  return std::get<SessionConfig>(applied);
}

TEST(SessionConfigTest, AnEmptyUpdateChangesNothing) {
  SessionConfig current;
  current.speak = false;
  current.input = {AudioEncoding::kOpus, 48000};
  current.turn_detection = {TurnDetectionMode::kNone, 0.5f, 700};
  current.sampling = {1.0f, 5, 0.5f, 1.5f, 42};
  current.max_response_seconds = 12;
  const SessionConfig same = Applied(current, {});
  EXPECT_FALSE(same.speak);
  EXPECT_EQ(same.input, current.input);
  EXPECT_EQ(same.output, current.output);
  EXPECT_EQ(same.turn_detection.mode, TurnDetectionMode::kNone);
  EXPECT_EQ(same.turn_detection.max_silence_ms, 700);
  EXPECT_EQ(same.sampling.seed, 42u);
  EXPECT_EQ(same.max_response_seconds, 12);
}

TEST(SessionConfigTest, ZeroMeansTheDefaultInsideAMessageThatIsSet) {
  SessionConfig current;
  current.input = {AudioEncoding::kOpus, 48000};
  current.turn_detection = {TurnDetectionMode::kNone, 0.5f, 700};
  current.sampling = {1.0f, 5, 0.5f, 1.5f, 42};
  const SessionConfig config = Applied(current, {.input_audio = AudioFormatUpdate{},
                                                 .turn_detection = TurnDetectionUpdate{},
                                                 .sampling = SamplingUpdate{},
                                                 .interruption = InterruptionUpdate{}});
  EXPECT_EQ(config.input, AudioFormat{});
  EXPECT_EQ(config.turn_detection.mode, TurnDetectionMode::kSemantic);
  EXPECT_EQ(config.turn_detection.max_silence_ms, 1500);
  EXPECT_EQ(config.sampling.top_p, 1.0f);
  EXPECT_EQ(config.sampling.repetition_penalty, 1.0f);
  EXPECT_EQ(config.sampling.temperature, 0.0f);
  EXPECT_EQ(config.interruption.policy, InterruptionPolicy::kCautious);
  EXPECT_EQ(config.interruption.min_voice_ms, 500);
}

TEST(SessionConfigTest, TakesTheLimitsThemselves) {
  const SessionConfig config = Applied({}, {.output_modalities = {1},
                                            .input_audio = {{1, 16000}},
                                            .output_audio = {{2, 48000, 30}},
                                            .turn_detection = {{1, 0.999f, 10000}},
                                            .sampling = {{2.0f, 10000, 1.0f, 2.0f, UINT64_MAX}},
                                            .max_response_seconds = 60,
                                            .max_video_frames = 8,
                                            .interruption = {{3, 3000}},
                                            .playback_delay_ms = 2000,
                                            .max_lead_ms = 60000,
                                            .speech_enhancement = {{4, true}}});
  EXPECT_FALSE(config.speak);
  EXPECT_EQ(config.input, (AudioFormat{AudioEncoding::kPcm16, 16000}));
  EXPECT_EQ(config.output, (AudioFormat{AudioEncoding::kOpus, 48000, 30}));
  EXPECT_EQ(config.turn_detection.max_silence_ms, 10000);
  EXPECT_EQ(config.sampling.top_k, 10000);
  EXPECT_EQ(config.sampling.seed, UINT64_MAX);
  EXPECT_EQ(config.max_response_seconds, 60);
  EXPECT_EQ(config.max_video_frames, 8);
  EXPECT_EQ(config.interruption.policy, InterruptionPolicy::kEager);
  EXPECT_EQ(config.interruption.min_voice_ms, 3000);
  EXPECT_EQ(config.playback_delay_ms, 2000);
  EXPECT_EQ(Applied(config, {}).playback_delay_ms, 2000);
  EXPECT_EQ(Applied(config, {}).interruption.policy, InterruptionPolicy::kEager);
  EXPECT_EQ(Applied(config, {.playback_delay_ms = 0}).playback_delay_ms, 0);
  EXPECT_EQ(config.max_lead_ms, 60000);
  EXPECT_EQ(config.enhancement, (SpeechEnhancement{NoiseSuppression::kHigh, true}));
  EXPECT_EQ(Applied(config, {}).enhancement, config.enhancement);
  EXPECT_EQ(Applied(config, {.speech_enhancement = SpeechEnhancementUpdate{}}).enhancement,
            SpeechEnhancement{});
  EXPECT_EQ(Applied(config, {.max_lead_ms = 0}).max_lead_ms, 60000);
  EXPECT_EQ(Applied(config, {.max_lead_ms = 200}).max_lead_ms, 200);
  EXPECT_EQ(Applied(config, {}).max_video_frames, 8);
  EXPECT_TRUE(Applied(config, {.output_modalities = {2}}).speak) << "speech always comes with its text";
}

TEST(SessionConfigTest, TurnDetectionHasDefaultsForWhatIsNotSet) {
  const TurnDetection detection = Applied({}, {.turn_detection = {{.mode = 3}}}).turn_detection;
  EXPECT_EQ(detection.mode, TurnDetectionMode::kServerVad);
  EXPECT_EQ(detection.silence_duration_ms, 500);
  EXPECT_EQ(detection.prefix_padding_ms, 300);
  EXPECT_EQ(detection.vad_threshold, 0.5f);
  EXPECT_EQ(detection.eagerness, Eagerness::kMedium);
  EXPECT_EQ(detection.max_silence_ms, 1500);
}

TEST(SessionConfigTest, TurnDetectionTakesItsLimits) {
  const TurnDetection most = Applied({}, {.turn_detection = {{.mode = 3,
                                                              .silence_duration_ms = 5000,
                                                              .prefix_padding_ms = 1000,
                                                              .vad_threshold = 1.0f}}})
                                 .turn_detection;
  EXPECT_EQ(most.silence_duration_ms, 5000);
  EXPECT_EQ(most.prefix_padding_ms, 1000);
  EXPECT_EQ(most.vad_threshold, 1.0f);
  const TurnDetection least = Applied({}, {.turn_detection = {{.mode = 3,
                                                               .silence_duration_ms = 200,
                                                               .prefix_padding_ms = 0,
                                                               .vad_threshold = 0.0f}}})
                                  .turn_detection;
  EXPECT_EQ(least.silence_duration_ms, 200);
  EXPECT_EQ(least.prefix_padding_ms, 0) << "0 is a padding, not its default";
  EXPECT_EQ(least.vad_threshold, 0.0f);
}

TEST(SessionConfigTest, EagernessSetsTheLongestWaitUnlessItIsSet) {
  const auto detection = [](int eagerness, uint32_t silence) {
    return Applied({}, {.turn_detection = {{.max_silence_ms = silence, .eagerness = eagerness}}})
        .turn_detection;
  };
  EXPECT_EQ(detection(1, 0).eagerness, Eagerness::kLow);
  EXPECT_EQ(detection(1, 0).max_silence_ms, 3000);
  EXPECT_EQ(detection(2, 0).eagerness, Eagerness::kMedium);
  EXPECT_EQ(detection(2, 0).max_silence_ms, 1500);
  EXPECT_EQ(detection(3, 0).eagerness, Eagerness::kHigh);
  EXPECT_EQ(detection(3, 0).max_silence_ms, 750);
  EXPECT_EQ(detection(3, 2000).max_silence_ms, 2000);
}

TEST(SessionConfigTest, G711IsAt8KHzWithoutSayingSo) {
  const SessionConfig config =
      Applied({}, {.input_audio = AudioFormatUpdate{3}, .output_audio = AudioFormatUpdate{4, 8000}});
  EXPECT_EQ(config.input, (AudioFormat{AudioEncoding::kG711Ulaw, 8000}));
  EXPECT_EQ(config.output, (AudioFormat{AudioEncoding::kG711Alaw, 8000}));
  EXPECT_EQ(Applied({}, {.input_audio = {{1, 8000}}}).input, (AudioFormat{AudioEncoding::kPcm16, 8000}));
}

TEST(SessionConfigTest, DrawsIfAskedToAndTheModelCan) {
  EXPECT_TRUE(Applied({}, {.output_modalities = {3}}).draw);
  EXPECT_FALSE(Applied({}, {.output_modalities = {3}}).speak);
  SessionConfig drawing;
  drawing.draw = true;
  EXPECT_TRUE(Applied(drawing, {}).draw);
  EXPECT_FALSE(Applied(drawing, {.output_modalities = {1, 2}}).draw);
  const auto refused = ApplyUpdate(SessionConfig{}, {.output_modalities = {1, 3}}, {});
  ASSERT_TRUE(std::holds_alternative<Refusal>(refused));
  EXPECT_EQ(std::get<Refusal>(refused).status.code(), StatusCode::kUnimplemented);
  EXPECT_EQ(std::get<Refusal>(refused).field, "session_update.config.output_modalities");
}

}  // namespace
}  // namespace antiphon
