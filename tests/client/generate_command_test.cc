// `antiphon generate`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "media/wav.h"
#include "tests/client/command_line_fixture.h"

namespace antiphon::client {
namespace {

using nlohmann::json;
using testing::AnsweringGenerateScript;
using testing::AnsweringScript;
using ::testing::HasSubstr;
using testing::ScriptedServer;

class GenerateCommandTest : public CommandLineTest {};

TEST_F(GenerateCommandTest, GenerateForPeople) {
  const ScriptedServer server(AnsweringScript(kRate), AnsweringGenerateScript());
  const Outcome run = Antiphon("generate --text 'what is' --audio " + ToneFile("q.wav", 22050, 2, 1, 16) +
                               " --out-audio " + Path("a.wav") + " --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_EQ(
      run.out,
      "heard    heard audio\n"
      "scripted answer 2\n"
      "speech   0.4 s\n"
      "usage    read 3 frames of speech, 0 pieces of text, 0 pictures; wrote 2 pieces of text, 0 frames of "
      "speech, 0 pictures\n");
  EXPECT_EQ(run.err, "");
  const auto audio = ReadWav(Path("a.wav"));
  ASSERT_TRUE(audio.ok()) << audio.status().ToString();
  EXPECT_EQ(audio->sample_rate, kRate);
  EXPECT_NEAR(audio->seconds(), 0.4, 1e-3);
}

TEST_F(GenerateCommandTest, GenerateKeepsTheOrderOfItsParts) {
  std::vector<std::string> kinds;
  v1::GenerateRequest received;
  const ScriptedServer server(AnsweringScript(kRate),
                              [&](grpc::ServerContext& context, const v1::GenerateRequest& request,
                                  grpc::ServerWriter<v1::GenerateResponse>& writer) {
                                received = request;
                                return AnsweringGenerateScript()(context, request, writer);
                              });
  const std::string tone = ToneFile("q.wav", kRate, 1, 1, 16);
  const Outcome run = Antiphon("generate --audio " + tone + " --text a --image " + ImageAt("p.png", 4, 3) +
                               " --text b --audio " + tone +
                               " --modalities text,image --seed 7 --temperature 0.8 --max-seconds 9 --json "
                               "--voice low --speed slow --instructions 'be kind' "
                               "--out-image " +
                               Path("out.png") + " --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  const json output = json::parse(run.out);
  EXPECT_EQ(output["answer"], "answer 5");
  EXPECT_EQ(output["transcript"], "heard audio");
  EXPECT_EQ(output["model"], "scripted");
  EXPECT_EQ(output["session"], "session-1");
  EXPECT_EQ(output["end"], "completed");
  EXPECT_EQ(output["usage"]["heard_frames"], 3);
  EXPECT_EQ(output["images"].size(), 1u);
  EXPECT_EQ(output["latency_ms"]["turn"], nullptr);
  EXPECT_EQ(output["error"], nullptr);
  EXPECT_TRUE(std::filesystem::exists(Path("out.png")));
  for (const v1::Part& part : received.parts()) {
    kinds.push_back(part.has_audio() ? "audio" : part.has_image() ? "image" : part.text());
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"audio", "a", "image", "b", "audio"}));
  ASSERT_EQ(received.output_modalities_size(), 2);
  EXPECT_EQ(received.output_modalities(1), v1::MODALITY_IMAGE);
  EXPECT_EQ(received.sampling().seed(), 7u);
  EXPECT_FLOAT_EQ(received.sampling().temperature(), 0.8f);
  EXPECT_EQ(received.max_response_seconds(), 9u);
  EXPECT_EQ(received.voice(), "low");
  EXPECT_EQ(received.instructions(), "be kind");
  EXPECT_EQ(received.speed(), v1::SPEED_SLOW);
  EXPECT_EQ(received.output_audio().sample_rate(), 16000u);
}

TEST_F(GenerateCommandTest, GenerateSaysWhatWentWrong) {
  const ScriptedServer server(AnsweringScript(kRate),
                              [](grpc::ServerContext& context, const v1::GenerateRequest&,
                                 grpc::ServerWriter<v1::GenerateResponse>& writer) {
                                v1::GenerateResponse response;
                                response.mutable_started()->set_model("scripted");
                                writer.Write(response);
                                response.mutable_text_delta()->set_text("the beginning");
                                writer.Write(response);
                                context.AddTrailingMetadata("retry-after-ms", "250");
                                return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
                              });
  Outcome run = Antiphon("generate --text x --server " + server.target());
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_EQ(run.out, "scripted the beginning\n");
  EXPECT_EQ(run.err, "antiphon: RESOURCE_EXHAUSTED: full (try again in 250 ms)\n");
  run = Antiphon("generate --json --text x --server " + server.target());
  EXPECT_EQ(run.exit_status, 1);
  const json output = json::parse(run.out);
  EXPECT_EQ(output["answer"], "the beginning");
  EXPECT_EQ(output["end"], nullptr);
  EXPECT_EQ(output["error"]["code"], "RESOURCE_EXHAUSTED");
  run = Antiphon("generate --text x --audio " + Path("none.wav") + " --server 127.0.0.1:1");
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("NOT_FOUND"));

  const ScriptedServer silent(AnsweringScript(kRate), AnsweringGenerateScript());
  run = Antiphon("generate --text x --modalities text --out-audio " + Path("a.wav") + " --server " +
                 silent.target());
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("no speech"));
}

}  // namespace
}  // namespace antiphon::client
