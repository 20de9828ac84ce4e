// The program `antiphon`, run as a user would, against a scripted server: exit status, JSON, files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "media/image.h"
#include "media/wav.h"
#include "tests/client/scripted_server.h"

namespace antiphon::client {
namespace {

using nlohmann::json;
using testing::AnsweringGenerateScript;
using testing::AnsweringScript;
using testing::Call;
using ::testing::HasSubstr;
using testing::ScriptedServer;

constexpr int kRate = 16000;

struct Outcome {
  int exit_status = -1;
  std::string out;
  std::string err;
};

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/antiphon_command_line_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  // `arguments` as a shell reads them.
  Outcome Antiphon(const std::string& arguments) const {
    Outcome run;
    const std::string command = "'" ANTIPHON_PROGRAM "' " + arguments + " 2>" + Path("stderr");
    FILE* pipe = popen(command.c_str(), "r");
    char buffer[4096];
    while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) run.out.append(buffer, got);
    const int status = pclose(pipe);
    run.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::stringstream err;
    err << std::ifstream(Path("stderr")).rdbuf();
    run.err = err.str();
    return run;
  }

  // 300 ms of a tone as WAV. `format`: 1 for integers of `bits`, 3 for 32-bit floats.
  std::string ToneFile(const std::string& name, int rate, int channels, int format, int bits) const {
    const int frames = rate * 3 / 10;
    std::string data;
    for (int i = 0; i < frames; ++i) {
      const double x = 0.3 * std::sin(2 * M_PI * 300 * i / rate);
      for (int c = 0; c < channels; ++c) {
        if (format == 3) {
          const auto value = static_cast<float>(x);
          data.append(reinterpret_cast<const char*>(&value), 4);
        } else {
          const auto value = static_cast<int32_t>(std::lround(x * std::pow(2, bits - 1)));
          data.append(reinterpret_cast<const char*>(&value), static_cast<size_t>(bits / 8));
        }
      }
    }
    std::string file = "RIFF";
    const auto number = [&file](uint32_t value, size_t bytes) {
      file.append(reinterpret_cast<const char*>(&value), bytes);
    };
    const auto block = static_cast<uint32_t>(channels * bits / 8);
    number(static_cast<uint32_t>(36 + data.size()), 4);
    file += "WAVEfmt ";
    number(16, 4);
    number(static_cast<uint32_t>(format), 2);
    number(static_cast<uint32_t>(channels), 2);
    number(static_cast<uint32_t>(rate), 4);
    number(static_cast<uint32_t>(rate) * block, 4);
    number(block, 2);
    number(static_cast<uint32_t>(bits), 2);
    file += "data";
    number(static_cast<uint32_t>(data.size()), 4);
    file += data;
    std::ofstream(Path(name), std::ios::binary) << file;
    return Path(name);
  }

  // A PNG file of one colour.
  std::string ImageAt(const std::string& name, int width, int height) const {
    const Image image{.width = width,
                      .height = height,
                      .rgb = std::vector<uint8_t>(static_cast<size_t>(3 * width * height), 99)};
    std::ofstream(Path(name), std::ios::binary) << EncodePng(image).value();
    return Path(name);
  }

  std::string folder_;
};

TEST_F(CommandLineTest, TypedQuestionForPeople) {
  const ScriptedServer server(AnsweringScript(kRate));
  const Outcome run = Antiphon("ask --text 'what is two plus three' --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("heard    what is two plus three\n"));
  EXPECT_THAT(run.out, HasSubstr("scripted answer 1\n"));
  EXPECT_THAT(run.out, HasSubstr("0.4 s, no gaps"));
  EXPECT_EQ(run.err, "");
}

TEST_F(CommandLineTest, TypedQuestionAsJson) {
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

TEST_F(CommandLineTest, EveryKindOfWav) {
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

TEST_F(CommandLineTest, SpokenQuestionInRealTime) {
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

TEST_F(CommandLineTest, QuestionsKeepTheirOrder) {
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

TEST_F(CommandLineTest, SettingsReachTheServer) {
  const ScriptedServer server(AnsweringScript(24000));
  const Outcome run = Antiphon(
      "ask --text x --seed 7 --temperature 0.8 --write --sample-rate 48000 --voice low --speed fast "
      "--server " +
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
}

TEST_F(CommandLineTest, TurnDetectionReachesTheServer) {
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

TEST_F(CommandLineTest, WithoutTurnDetectionASpokenQuestionIsCommitted) {
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

TEST_F(CommandLineTest, OptionsOfAnotherTurnDetectionAreWrongUsage) {
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

TEST_F(CommandLineTest, OpusBothWays) {
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

TEST_F(CommandLineTest, TheTelephonesFormats) {
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

TEST_F(CommandLineTest, FailuresAreJsonToo) {
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

TEST_F(CommandLineTest, NoSpeechToWriteIsAFailure) {
  const ScriptedServer server(AnsweringScript(kRate));
  const Outcome run =
      Antiphon("ask --write --text x --out-audio " + Path("a.wav") + " --server " + server.target());
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("no speech"));
}

TEST_F(CommandLineTest, PicturesGoWithTheQuestionBehindThem) {
  const ScriptedServer server(AnsweringScript(kRate));
  const std::string red = ImageAt("red.png", 3, 2);
  const Outcome run =
      Antiphon("ask --write --json --text first --image " + red + " --image " + ImageAt("any_name", 5, 5) +
               " --text second --image " + red + " --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_EQ(json::parse(run.out)["turns"].size(), 3u);
  ASSERT_TRUE(server.WaitForCalls(1));
  std::string order;
  for (const auto& message : server.received()) {
    if (message.event.has_text_append()) order += message.event.text_append().text() + " ";
    if (message.event.has_image_append()) order += message.event.image_append().media_type() + " ";
    if (message.event.has_commit()) order += "commit ";
  }
  EXPECT_EQ(order, "first commit image/png image/png second commit image/png commit ");
}

TEST_F(CommandLineTest, VideoIsSentBeforeATypedQuestion) {
  const ScriptedServer server(AnsweringScript(kRate));
  const std::string frames = " --video " + ImageAt("a.png", 3, 2) + " --video " + ImageAt("b.png", 4, 2) +
                             " --video " + ImageAt("c.png", 5, 2);
  const Outcome run = Antiphon("ask --write --json --text look" + frames + " --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_EQ(json::parse(run.out)["usage"]["input_video_frames"], 0) << "the scripted server counts none";
  ASSERT_TRUE(server.WaitForCalls(1));
  std::string order;
  std::vector<std::chrono::steady_clock::time_point> times;
  for (const auto& message : server.received()) {
    if (message.event.has_video_frame()) {
      order += "frame ";
      times.push_back(message.at);
    }
    if (message.event.has_text_append()) order += "text ";
  }
  EXPECT_EQ(order, "frame frame frame text ");
  ASSERT_EQ(times.size(), 3u);
  EXPECT_GE(times[2] - times[0], std::chrono::milliseconds(250)) << "5 a second";
}

TEST_F(CommandLineTest, VideoGoesOnWhileASpokenQuestionIsAsked) {
  const ScriptedServer server(AnsweringScript(kRate));
  const std::string frames =
      " --video-fps 5 --video " + ImageAt("a.png", 3, 2) + " --video " + ImageAt("b.png", 4, 2);
  const Outcome run = Antiphon("ask --audio " + ToneFile("tone.wav", kRate, 1, 1, 16) + frames +
                               " --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  ASSERT_TRUE(server.WaitForCalls(1));
  std::string order;
  for (const auto& message : server.received()) {
    if (message.event.has_video_frame()) order += "frame ";
    if (message.event.has_audio_append() && !order.ends_with("audio ")) order += "audio ";
  }
  EXPECT_EQ(order, "frame audio frame audio ");
}

TEST_F(CommandLineTest, WrongVideoIsRefusedBeforeTheServerIsAsked) {
  const std::string frame = ImageAt("a.png", 3, 2);
  EXPECT_EQ(Antiphon("ask --text x --video " + frame + " --video-fps 6 --server 127.0.0.1:1").exit_status, 2);
  EXPECT_EQ(Antiphon("ask --video " + frame + " --server 127.0.0.1:1").exit_status, 2)
      << "there is no question";
  const Outcome run = Antiphon("ask --text x --video " + Path("missing.png") + " --server 127.0.0.1:1");
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("missing.png"));
}

TEST_F(CommandLineTest, PicturesOfAnswersAreWritten) {
  const ScriptedServer server(AnsweringScript(kRate));
  Outcome run = Antiphon("ask --text 'draw a' --text x --text 'draw b' --out-image " + Path("p.png") +
                         " --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("picture  64 x 64, first preview after "));
  for (const char* name : {"p.png", "p-2.png"}) {
    std::stringstream content;
    content << std::ifstream(Path(name)).rdbuf();
    EXPECT_EQ(content.str(), testing::kPicture) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(Path("p-3.png")));
  ASSERT_TRUE(server.WaitForCalls(1));
  EXPECT_EQ(server.received().at(0).event.session_update().config().output_modalities_size(), 3);

  run = Antiphon("ask --json --fast --text 'draw a' --server " + server.target());
  const json output = json::parse(run.out);
  ASSERT_EQ(output["images"].size(), 1u);
  EXPECT_EQ(output["images"][0]["width"], 64);
  EXPECT_EQ(output["usage"]["output_images"], 1);
  EXPECT_EQ(output["ledger_ms"]["first_image"], 160.0);
}

TEST_F(CommandLineTest, NoPictureToWriteIsAFailure) {
  const ScriptedServer server(AnsweringScript(kRate));
  const Outcome run =
      Antiphon("ask --write --text x --out-image " + Path("p.png") + " --server " + server.target());
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("no picture"));
}

TEST_F(CommandLineTest, BadPicturesAreRefusedBeforeASessionIsOpened) {
  const auto refusal = [this](const std::string& name) {
    const Outcome run = Antiphon("ask --text x --image " + Path(name) + " --server 127.0.0.1:1");
    EXPECT_EQ(run.exit_status, 1);
    return run.err;
  };
  EXPECT_THAT(refusal("none.png"), HasSubstr("NOT_FOUND"));
  EXPECT_THAT(refusal("."), HasSubstr("NOT_FOUND"));
  std::ofstream(Path("words.png")) << "these are words, not pixels";
  EXPECT_THAT(refusal("words.png"), HasSubstr("words.png is no PNG, JPEG or WebP file"));
  const std::string whole = ImageAt("whole.png", 60, 60);
  std::filesystem::resize_file(whole, std::filesystem::file_size(whole) - 20);
  EXPECT_THAT(refusal("whole.png"), HasSubstr("DATA_LOSS"));
  std::ofstream(Path("large.png")) << std::string(3 * 1024 * 1024 + 1, 'x');
  EXPECT_THAT(refusal("large.png"), HasSubstr("larger than 3 MiB"));
}

TEST_F(CommandLineTest, GenerateForPeople) {
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

TEST_F(CommandLineTest, GenerateKeepsTheOrderOfItsParts) {
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
                               "--voice low --speed slow "
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
  EXPECT_EQ(received.speed(), v1::SPEED_SLOW);
  EXPECT_EQ(received.output_audio().sample_rate(), 16000u);
}

TEST_F(CommandLineTest, GenerateSaysWhatWentWrong) {
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

TEST_F(CommandLineTest, WrongUsage) {
  EXPECT_EQ(Antiphon("").exit_status, 2);
  EXPECT_EQ(Antiphon("ask").exit_status, 2);
  EXPECT_EQ(Antiphon("ask --text x --sample-rate 44100").exit_status, 2);
  EXPECT_EQ(Antiphon("ask --text x --temperature 3").exit_status, 2);
  EXPECT_EQ(Antiphon("ask --text x --speed quick").exit_status, 2);
  EXPECT_EQ(Antiphon("ask --text x --audio-format mp3").exit_status, 2);
  EXPECT_EQ(Antiphon("ask --text x --expected-loss 31").exit_status, 2);
  EXPECT_EQ(Antiphon("ask --text x --sample-rate 11025").exit_status, 2);
  EXPECT_EQ(Antiphon("sing").exit_status, 2);
  EXPECT_EQ(Antiphon("generate").exit_status, 2);
  EXPECT_EQ(Antiphon("generate --seed 1").exit_status, 2);
  EXPECT_EQ(Antiphon("generate --text x --modalities smell").exit_status, 2);
  EXPECT_EQ(Antiphon("generate --text x --max-seconds 61").exit_status, 2);
  Outcome help = Antiphon("ask --help");
  EXPECT_EQ(help.exit_status, 0);
  EXPECT_THAT(help.out, HasSubstr("--out-audio"));
  help = Antiphon("generate --help");
  EXPECT_EQ(help.exit_status, 0);
  for (const char* option : {"--text", "--audio", "--image", "--server", "--modalities", "--out-audio",
                             "--out-image", "--max-seconds", "--seed", "--temperature", "--audio-format",
                             "--sample-rate", "--expected-loss", "--timeout", "--json"}) {
    EXPECT_THAT(help.out, HasSubstr(option));
  }
}

TEST_F(CommandLineTest, Models) {
  const ScriptedServer server(AnsweringScript(kRate));
  Outcome run = Antiphon("models --server " + server.target());
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("scripted"));
  EXPECT_THAT(run.out, HasSubstr("12.3M"));
  EXPECT_THAT(run.out, HasSubstr("own low\n"));
  run = Antiphon("models --json --server " + server.target());
  EXPECT_EQ(json::parse(run.out)["models"][0]["name"], "scripted");
  EXPECT_EQ(json::parse(run.out)["models"][0]["voices"], json({"own", "low"}));
  EXPECT_EQ(json::parse(run.out)["models"][0]["speeds"], json({"normal", "fast"}));
  run = Antiphon("models --json --server 127.0.0.1:1");
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_EQ(json::parse(run.out)["error"]["code"], "UNAVAILABLE");
}

}  // namespace
}  // namespace antiphon::client
