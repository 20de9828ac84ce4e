// The options of `antiphon ask` that are settings of its session.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/client/command_line_fixture.h"

namespace antiphon::client {
namespace {

using testing::AnsweringScript;
using ::testing::HasSubstr;
using testing::ScriptedServer;

class AskSettingsTest : public CommandLineTest {};

TEST_F(AskSettingsTest, SettingsReachTheServer) {
  const ScriptedServer server(AnsweringScript(24000));
  const Outcome run = Antiphon(
      "ask --text x --seed 7 --temperature 0.8 --write --sample-rate 48000 --voice low --speed fast "
      "--instructions 'be kind' --server " +
      server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  ASSERT_TRUE(server.WaitForCalls(1));
  const v1::SessionConfig config = server.received().at(0).event.session_update().config();
  EXPECT_EQ(config.sampling().seed(), 7u);
  EXPECT_FLOAT_EQ(config.sampling().temperature(), 0.8f);
  EXPECT_EQ(config.output_modalities_size(), 1);
  EXPECT_EQ(config.input_audio().sample_rate(), 48000u);
  EXPECT_EQ(config.voice(), "low");
  EXPECT_EQ(config.speed(), v1::SPEED_FAST);
  EXPECT_EQ(config.instructions(), "be kind");
}

TEST_F(AskSettingsTest, TurnDetectionReachesTheServer) {
  const auto detection = [this](const std::string& arguments) {
    const ScriptedServer server(AnsweringScript(kRate));
    const Outcome run = Antiphon("ask --text x --write " + arguments + " --server " + server.target());
    EXPECT_EQ(run.exit_status, 0) << run.err;
    EXPECT_TRUE(server.WaitForCalls(1));
    return server.received().at(0).event.session_update().config();
  };
  EXPECT_FALSE(detection("").has_turn_detection()) << "the server's default";

  v1::TurnDetection wire =
      detection("--turn-detection server-vad --silence 700 --prefix-padding 0 --vad-threshold 0.75")
          .turn_detection();
  EXPECT_EQ(wire.mode(), v1::TurnDetection::MODE_SERVER_VAD);
  EXPECT_EQ(wire.silence_duration_ms(), 700u);
  EXPECT_TRUE(wire.has_prefix_padding_ms());
  EXPECT_EQ(wire.prefix_padding_ms(), 0u);
  EXPECT_FLOAT_EQ(wire.vad_threshold(), 0.75f);
  EXPECT_EQ(wire.eagerness(), v1::TurnDetection::EAGERNESS_UNSPECIFIED);

  wire = detection("--eagerness high --max-silence 900 --threshold 0.4").turn_detection();
  EXPECT_EQ(wire.mode(), v1::TurnDetection::MODE_SEMANTIC) << "the default of those options";
  EXPECT_EQ(wire.eagerness(), v1::TurnDetection::EAGERNESS_HIGH);
  EXPECT_EQ(wire.max_silence_ms(), 900u);
  EXPECT_FLOAT_EQ(wire.threshold(), 0.4f);
  EXPECT_FALSE(wire.has_prefix_padding_ms());
  EXPECT_FALSE(wire.has_vad_threshold());

  EXPECT_EQ(detection("--turn-detection semantic --eagerness low").turn_detection().eagerness(),
            v1::TurnDetection::EAGERNESS_LOW);
  EXPECT_EQ(detection("--eagerness medium").turn_detection().eagerness(),
            v1::TurnDetection::EAGERNESS_MEDIUM);
  EXPECT_EQ(detection("--turn-detection none").turn_detection().mode(), v1::TurnDetection::MODE_NONE);
}

TEST_F(AskSettingsTest, OptionsOfAnotherTurnDetectionAreWrongUsage) {
  const std::pair<const char*, const char*> wrong[] = {
      {"--silence 300", "needs --turn-detection server-vad"},
      {"--silence 300 --turn-detection semantic", "needs --turn-detection server-vad"},
      {"--eagerness high --turn-detection none", "needs --turn-detection semantic"},
      {"--threshold 0.5 --turn-detection server-vad", "needs --turn-detection semantic"},
      {"--max-silence 900 --turn-detection server-vad", "needs --turn-detection semantic"},
      {"--turn-detection sometimes", "sometimes"},
      {"--eagerness huge", "huge"},
      {"--silence 199 --turn-detection server-vad", "199"},
      {"--max-silence 10001", "10001"},
      {"--threshold 1", "1"},
      {"--prefix-padding 1001", "1001"},
      {"--vad-threshold 1.5", "1.5"},
  };
  for (const auto& [arguments, message] : wrong) {
    const Outcome run = Antiphon("ask --text x --server 127.0.0.1:1 " + std::string(arguments));
    EXPECT_EQ(run.exit_status, 2) << arguments;
    EXPECT_THAT(run.err, HasSubstr(message)) << arguments;
  }
}

TEST_F(AskSettingsTest, InterruptionAndPlaybackReachTheServer) {
  const auto config = [this](const std::string& arguments) {
    const ScriptedServer server(AnsweringScript(kRate));
    const Outcome run = Antiphon("ask --text x " + arguments + " --server " + server.target());
    EXPECT_EQ(run.exit_status, 0) << run.err;
    EXPECT_TRUE(server.WaitForCalls(1));
    return server.received().at(0).event.session_update().config();
  };
  v1::SessionConfig wire = config("");
  EXPECT_FALSE(wire.has_interruption()) << "the server's default";
  EXPECT_FALSE(wire.has_playback_delay_ms());
  EXPECT_EQ(wire.max_lead_ms(), 0u);

  wire = config("--interruption cautious --min-voice 900 --playback-delay 240 --max-lead 1000");
  EXPECT_EQ(wire.interruption().policy(), v1::Interruption::POLICY_CAUTIOUS);
  EXPECT_EQ(wire.interruption().min_voice_ms(), 900u);
  EXPECT_EQ(wire.playback_delay_ms(), 240u);
  EXPECT_EQ(wire.max_lead_ms(), 1000u);

  EXPECT_EQ(config("--min-voice 100").interruption().policy(), v1::Interruption::POLICY_CAUTIOUS)
      << "the default of that option";
  EXPECT_EQ(config("--interruption off").interruption().policy(), v1::Interruption::POLICY_OFF);
  EXPECT_EQ(config("--interruption eager").interruption().policy(), v1::Interruption::POLICY_EAGER);
  EXPECT_TRUE(config("--playback-delay 0").has_playback_delay_ms());
  EXPECT_EQ(config("--fast").max_lead_ms(), 60000u) << "nobody listens";
  EXPECT_EQ(config("--fast --max-lead 300").max_lead_ms(), 300u);
}

TEST_F(AskSettingsTest, NoiseSuppressionReachesTheServer) {
  using Wire = v1::SpeechEnhancement;
  const std::pair<const char*, Wire::NoiseSuppression> names[] = {
      {"off", Wire::NOISE_SUPPRESSION_OFF},
      {"low", Wire::NOISE_SUPPRESSION_LOW},
      {"moderate", Wire::NOISE_SUPPRESSION_MODERATE},
      {"high", Wire::NOISE_SUPPRESSION_HIGH}};
  for (const auto& [name, wire] : names) {
    const ScriptedServer server(AnsweringScript(kRate));
    const Outcome run =
        Antiphon("ask --text x --noise-suppression " + std::string(name) + " --server " + server.target());
    EXPECT_EQ(run.exit_status, 0) << run.err;
    ASSERT_TRUE(server.WaitForCalls(1));
    const v1::SessionConfig config = server.received().at(0).event.session_update().config();
    EXPECT_EQ(config.speech_enhancement().noise_suppression(), wire) << name;
    EXPECT_FALSE(config.speech_enhancement().echo_cancellation());
  }
  EXPECT_EQ(Antiphon("ask --text x --noise-suppression loud --server 127.0.0.1:1").exit_status, 2);
}

TEST_F(AskSettingsTest, WaitingForAPlaceReachesTheServer) {
  std::string asked;
  const auto note = [&asked](const grpc::ServerContext& context) {
    const auto wait = context.client_metadata().find("antiphon-wait-ms");
    asked = wait == context.client_metadata().end() ? "no"
                                                    : std::string(wait->second.data(), wait->second.size());
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  };
  const ScriptedServer server([&note](testing::Call& call) { return note(call.context()); },
                              [&note](grpc::ServerContext& context, const v1::GenerateRequest&,
                                      grpc::ServerWriter<v1::GenerateResponse>&) { return note(context); });
  for (const std::string command : {"ask", "generate"}) {
    EXPECT_EQ(Antiphon(command + " --text x --wait 1.5 --server " + server.target()).exit_status, 1);
    EXPECT_EQ(asked, "1500") << command;
    EXPECT_EQ(Antiphon(command + " --text x --server " + server.target()).exit_status, 1);
    EXPECT_EQ(asked, "no") << command;
    EXPECT_EQ(Antiphon(command + " --text x --wait 601 --server 127.0.0.1:1").exit_status, 2);
  }
}

TEST_F(AskSettingsTest, WrongInterruptionAndPlaybackAreWrongUsage) {
  const std::pair<const char*, const char*> wrong[] = {
      {"--min-voice 300 --interruption eager", "needs --interruption cautious"},
      {"--interruption off --min-voice 300", "needs --interruption cautious"},
      {"--interruption sometimes", "sometimes"},
      {"--min-voice 99", "99"},
      {"--min-voice 3001", "3001"},
      {"--playback-delay 2001", "2001"},
      {"--max-lead 199", "199"},
      {"--max-lead 60001", "60001"},
  };
  for (const auto& [arguments, message] : wrong) {
    const Outcome run = Antiphon("ask --text x --server 127.0.0.1:1 " + std::string(arguments));
    EXPECT_EQ(run.exit_status, 2) << arguments;
    EXPECT_THAT(run.err, HasSubstr(message)) << arguments;
  }
}

}  // namespace
}  // namespace antiphon::client
