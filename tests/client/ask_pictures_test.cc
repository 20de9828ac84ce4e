// `antiphon ask`: pictures and video in, pictures out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/client/command_line_fixture.h"

namespace antiphon::client {
namespace {

using nlohmann::json;
using testing::AnsweringScript;
using ::testing::HasSubstr;
using testing::ScriptedServer;

class AskPicturesTest : public CommandLineTest {};

TEST_F(AskPicturesTest, PicturesGoWithTheQuestionBehindThem) {
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

TEST_F(AskPicturesTest, VideoIsSentBeforeATypedQuestion) {
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

TEST_F(AskPicturesTest, VideoGoesOnWhileASpokenQuestionIsAsked) {
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

TEST_F(AskPicturesTest, WrongVideoIsRefusedBeforeTheServerIsAsked) {
  const std::string frame = ImageAt("a.png", 3, 2);
  EXPECT_EQ(Antiphon("ask --text x --video " + frame + " --video-fps 6 --server 127.0.0.1:1").exit_status, 2);
  EXPECT_EQ(Antiphon("ask --video " + frame + " --server 127.0.0.1:1").exit_status, 2)
      << "there is no question";
  const Outcome run = Antiphon("ask --text x --video " + Path("missing.png") + " --server 127.0.0.1:1");
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("missing.png"));
}

TEST_F(AskPicturesTest, PicturesOfAnswersAreWritten) {
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

TEST_F(AskPicturesTest, NoPictureToWriteIsAFailure) {
  const ScriptedServer server(AnsweringScript(kRate));
  const Outcome run =
      Antiphon("ask --write --text x --out-image " + Path("p.png") + " --server " + server.target());
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("no picture"));
}

TEST_F(AskPicturesTest, BadPicturesAreRefusedBeforeASessionIsOpened) {
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

}  // namespace
}  // namespace antiphon::client
