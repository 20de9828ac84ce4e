// `antiphon ask`: questions in, answers and their files out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "media/wav.h"
#include "tests/client/command_line_fixture.h"

namespace antiphon::client {
namespace {

using nlohmann::json;
using testing::AnsweringScript;
using testing::Call;
using ::testing::HasSubstr;
using testing::ScriptedServer;

class AskCommandTest : public CommandLineTest {};

TEST_F(AskCommandTest, TypedQuestionForPeople) {
  const ScriptedServer server(AnsweringScript(kRate));
  const Outcome run = Antiphon("ask --text 'what is two plus three' --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("heard    what is two plus three\n"));
  EXPECT_THAT(run.out, HasSubstr("scripted answer 1\n"));
  EXPECT_THAT(run.out, HasSubstr("0.4 s, no gaps"));
  EXPECT_EQ(run.err, "");
}

TEST_F(AskCommandTest, TypedQuestionAsJson) {
  const ScriptedServer server(AnsweringScript(kRate));
  const Outcome run = Antiphon("ask --json --write --text hello --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  const json output = json::parse(run.out);
  EXPECT_EQ(output["transcript"], "hello");
  EXPECT_EQ(output["answer"], "answer 1");
  EXPECT_EQ(output["model"], "scripted");
  EXPECT_EQ(output["audio_seconds"], 0.0);
  EXPECT_EQ(output["error"], nullptr);
  EXPECT_EQ(output["turns"].size(), 1u);
  EXPECT_EQ(output["ledger_ms"]["endpoint_decided"], 100.0);
  EXPECT_EQ(output["ledger_ms"]["first_packet_sent"], 150.0);
  EXPECT_EQ(output["ledger_ms"]["first_frame"], nullptr);
  EXPECT_TRUE(output["latency_ms"]["first_text"].is_number());
  EXPECT_EQ(output["latency_ms"]["turn"], nullptr);
}

TEST_F(AskCommandTest, EveryKindOfWav) {
  const ScriptedServer server(AnsweringScript(kRate));
  const std::string files[] = {
      ToneFile("telephone.wav", 8000, 1, 1, 16),
      ToneFile("studio.wav", 44100, 2, 3, 32),
      ToneFile("recorder.wav", 48000, 1, 1, 24),
      ToneFile("native.wav", 16000, 1, 1, 16),
  };
  for (const std::string& file : files) {
    const Outcome run = Antiphon("ask --fast --json --audio " + file + " --server " + server.target());
    ASSERT_EQ(run.exit_status, 0) << file << ": " << run.err;
    const json output = json::parse(run.out);
    EXPECT_THAT(output["transcript"].get<std::string>(), ::testing::StartsWith("heard 3")) << file;
    EXPECT_EQ(output["latency_ms"]["turn"], nullptr);
  }
}

TEST_F(AskCommandTest, SpokenQuestionInRealTime) {
  const ScriptedServer server(AnsweringScript(kRate));
  const Outcome run = Antiphon("ask --json --audio " + ToneFile("q.wav", 16000, 1, 1, 16) + " --out-audio " +
                               Path("answer.wav") + " --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  const json output = json::parse(run.out);
  // The server waits for 100 ms of silence; a busy machine may add to it.
  EXPECT_GT(output["latency_ms"]["turn"], 0.0);
  EXPECT_LE(output["latency_ms"]["turn"], 2000.0);
  EXPECT_EQ(output["audio_seconds"], 0.4);
  const auto audio = ReadWav(Path("answer.wav"));
  ASSERT_TRUE(audio.ok());
  EXPECT_EQ(audio->sample_rate, kRate);
  EXPECT_DOUBLE_EQ(audio->seconds(), 0.4);
}

TEST_F(AskCommandTest, QuestionsKeepTheirOrder) {
  const ScriptedServer server(AnsweringScript(kRate));
  const std::string file = ToneFile("q.wav", 16000, 1, 1, 16);
  const Outcome run = Antiphon("ask --fast --json --text 'my name is ann' --audio " + file +
                               " --text 'what is my name' --text bye --out-audio " + Path("all.wav") +
                               " --server " + server.target());
  ASSERT_EQ(run.exit_status, 0) << run.err;
  const json output = json::parse(run.out);
  ASSERT_EQ(output["turns"].size(), 4u);
  EXPECT_EQ(output["turns"][0]["transcript"], "my name is ann");
  EXPECT_EQ(output["turns"][1]["transcript"], "heard 300 ms");
  EXPECT_EQ(output["turns"][2]["transcript"], "what is my name");
  EXPECT_EQ(output["transcript"], "bye");
  EXPECT_EQ(output["answer"], "answer 4");
  const auto audio = ReadWav(Path("all.wav"));
  ASSERT_TRUE(audio.ok());
  EXPECT_NEAR(audio->seconds(), 4 * 0.4 + 3 * 0.5, 1e-3);
}

TEST_F(AskCommandTest, WithoutTurnDetectionASpokenQuestionIsCommitted) {
  for (const char* const mode : {"none", "server-vad"}) {
    const ScriptedServer server(AnsweringScript(kRate));
    const Outcome run = Antiphon("ask --fast --audio " + ToneFile("q.wav", 16000, 1, 1, 16) +
                                 " --turn-detection " + mode + " --server " + server.target());
    EXPECT_EQ(run.exit_status, 0) << run.err;
    ASSERT_TRUE(server.WaitForCalls(1));
    int commits = 0;
    for (const auto& message : server.received()) commits += message.event.has_commit() ? 1 : 0;
    EXPECT_EQ(commits, std::string(mode) == "none" ? 1 : 0) << mode;
  }
}

TEST_F(AskCommandTest, OpusBothWays) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    v1::ClientEvent event;
    call.ReadUntil(v1::ClientEvent::kAudioAppend, &event);
    EXPECT_LT(event.audio_append().audio().size(), 400u);
    call.Answer("opus", "yes", 0, 24000);
    while (call.Read(&event)) {
    }
    return grpc::Status::OK;
  });
  const Outcome run = Antiphon("ask --audio-format opus --expected-loss 10 --fast --json --audio " +
                               ToneFile("q.wav", 16000, 1, 1, 16) + " --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  ASSERT_TRUE(server.WaitForCalls(1));
  const v1::SessionConfig config = server.received().at(0).event.session_update().config();
  EXPECT_EQ(config.input_audio().encoding(), v1::AUDIO_ENCODING_OPUS);
  EXPECT_EQ(config.output_audio().encoding(), v1::AUDIO_ENCODING_OPUS);
  EXPECT_EQ(config.input_audio().sample_rate(), 24000u);
  EXPECT_EQ(config.output_audio().expected_loss_percent(), 10u);
  EXPECT_EQ(json::parse(run.out)["usage"]["input_packets"]["late"], 0);
}

TEST_F(AskCommandTest, TheTelephonesFormats) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    v1::ClientEvent event;
    call.ReadUntil(v1::ClientEvent::kCommit, &event);
    call.Answer("x", "yes", 0, 8000);
    while (call.Read(&event)) {
    }
    return grpc::Status::OK;
  });
  EXPECT_EQ(Antiphon("ask --text x --audio-format ulaw --server " + server.target()).exit_status, 0);
  EXPECT_EQ(Antiphon("ask --text x --audio-format alaw --server " + server.target()).exit_status, 0);
  EXPECT_EQ(Antiphon("ask --text x --sample-rate 8000 --server " + server.target()).exit_status, 0);
  ASSERT_TRUE(server.WaitForCalls(3));
  std::vector<v1::AudioEncoding> encodings;
  for (const auto& message : server.received()) {
    if (!message.event.has_session_update()) continue;
    const v1::SessionConfig& config = message.event.session_update().config();
    encodings.push_back(config.input_audio().encoding());
    EXPECT_EQ(config.output_audio().encoding(), config.input_audio().encoding());
    EXPECT_EQ(config.input_audio().sample_rate(), 8000u);
    EXPECT_EQ(config.output_audio().sample_rate(), 8000u);
  }
  EXPECT_EQ(encodings, (std::vector{v1::AUDIO_ENCODING_G711_ULAW, v1::AUDIO_ENCODING_G711_ALAW,
                                    v1::AUDIO_ENCODING_PCM16}));
  const Outcome wide =
      Antiphon("ask --text x --audio-format ulaw --sample-rate 16000 --server " + server.target());
  EXPECT_EQ(wide.exit_status, 1);
  EXPECT_THAT(wide.err, HasSubstr("8000 for G.711"));
}

TEST_F(AskCommandTest, FailuresAreJsonToo) {
  const ScriptedServer full([](Call& call) {
    call.context().AddTrailingMetadata("retry-after-ms", "250");
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  });
  Outcome run = Antiphon("ask --json --text x --server " + full.target());
  EXPECT_EQ(run.exit_status, 1);
  json output = json::parse(run.out);
  EXPECT_EQ(output["error"]["code"], "RESOURCE_EXHAUSTED");
  EXPECT_EQ(output["error"]["message"], "full (try again in 250 ms)");
  EXPECT_EQ(output["transcript"], "");
  EXPECT_EQ(output["end"], nullptr);

  const ScriptedServer silent([](Call& call) {
    call.CreateSession();
    call.ReadUntil(v1::ClientEvent::kClear);
    return grpc::Status::OK;
  });
  run = Antiphon("ask --json --text x --timeout 0.2 --server " + silent.target());
  EXPECT_EQ(run.exit_status, 1);
  output = json::parse(run.out);
  EXPECT_EQ(output["error"]["code"], "DEADLINE_EXCEEDED");
  EXPECT_THAT(run.err, HasSubstr("antiphon: DEADLINE_EXCEEDED"));

  run = Antiphon("ask --json --audio " + Path("none.wav") + " --server " + silent.target());
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_EQ(json::parse(run.out)["error"]["code"], "NOT_FOUND");

  std::ofstream(Path("text.wav")) << "these are words, not samples";
  run = Antiphon("ask --audio " + Path("text.wav") + " --server " + silent.target());
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("text.wav"));
}

TEST_F(AskCommandTest, NoSpeechToWriteIsAFailure) {
  const ScriptedServer server(AnsweringScript(kRate));
  const Outcome run =
      Antiphon("ask --write --text x --out-audio " + Path("a.wav") + " --server " + server.target());
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("no speech"));
}

}  // namespace
}  // namespace antiphon::client
