// Simulated users against a scripted server on a real socket, and the report on them.
#include "bench/turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>

#include "bench/server_process.h"
#include "bench/turns_report.h"
#include "media/wav.h"
#include "tests/client/scripted_server.h"

namespace antiphon::bench {
namespace {

using testing::AnsweringScript;
using testing::Call;
using ::testing::HasSubstr;
using testing::ScriptedServer;

constexpr int kRate = 16000;

class TurnsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/antiphon_turns_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    std::vector<float> tone(kRate * 3 / 10);
    for (size_t i = 0; i < tone.size(); ++i)
      tone[i] = 0.3f * static_cast<float>(std::sin(0.1 * static_cast<double>(i)));
    ASSERT_TRUE(WriteWav(Wav(), tone, kRate).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Wav() const { return folder_ + "/tone.wav"; }

  Question Spoken(const std::string& answer, const std::string& row = "") const {
    return {.wav = Wav(),
            .text = "heard 300 milliseconds",
            .answers = {answer},
            .speech_end = {},
            .voice = "tone",
            .row = row,
            .before = {}};
  }

  std::string folder_;
};

TEST_F(TurnsTest, JudgesEachAnswerAndTranscript) {
  const ScriptedServer server(AnsweringScript(kRate));
  const std::vector<Question> questions = {Spoken("Answer 1!", "easy"), Spoken("answer 2", "hard")};
  TurnsOptions options;
  options.server = server.target();
  options.turns = 6;
  options.sessions = 2;
  options.real_time = false;
  int calls = 0;
  const auto turns = RunTurns(questions, options, [&](const Turn&, int) { ++calls; });
  ASSERT_TRUE(turns.ok()) << turns.status().ToString();
  ASSERT_EQ(turns->size(), 6u);
  EXPECT_EQ(calls, 6);
  const nlohmann::json report = TurnsJson(questions, *turns, options, 1.0);
  EXPECT_EQ(report["failures"], 0);
  ASSERT_EQ(report["rows"].size(), 3u);
  EXPECT_EQ(report["rows"][0]["row"], "easy");
  EXPECT_EQ(report["rows"][0]["accuracy"], 1.0);
  EXPECT_EQ(report["rows"][1]["accuracy"], 0.0);  // each session is new: its first answer is "answer 1"
  EXPECT_EQ(report["rows"][2]["turns"], 6);
  EXPECT_EQ(report["rows"][2]["accuracy"], 0.5);
  EXPECT_NEAR(report["rows"][2]["transcript_wer"].get<double>(), 1.0 / 3, 1e-9);  // "ms" for "milliseconds"
  EXPECT_EQ(report["latency_ms"]["turn"], nullptr) << "without pacing there is no latency";
  EXPECT_THAT(TurnsText(report), HasSubstr("50.0 %"));
  const auto wrong = std::ranges::find(*turns, 1u, &Turn::question);
  ASSERT_NE(wrong, turns->end());
  EXPECT_THAT(ComplaintText(questions[1], *wrong), HasSubstr("wrong"));
  const auto right = std::ranges::find(*turns, 0u, &Turn::question);
  ASSERT_NE(right, turns->end());
  EXPECT_EQ(ComplaintText(questions[0], *right), "");
}

TEST_F(TurnsTest, RealTimeTurnsHaveALatencyOfTwoParts) {
  const ScriptedServer server(AnsweringScript(kRate));
  const std::vector<Question> questions = {Spoken("answer 1")};
  TurnsOptions options;
  options.server = server.target();
  options.turns = 2;
  options.turns_per_session = 2;
  const auto turns = RunTurns(questions, options, nullptr);
  ASSERT_TRUE(turns.ok());
  ASSERT_TRUE(server.WaitForCalls(1)) << "both turns are one session";
  EXPECT_EQ((*turns)[1].answer.text, "answer 2");
  const nlohmann::json report = TurnsJson(questions, *turns, options, 1.0);
  const nlohmann::json& latency = report["latency_ms"];
  EXPECT_EQ(latency["turn"]["count"], 2);
  EXPECT_GT(latency["turn"]["min"], 0.0);
  EXPECT_GE(latency["turn"]["min"].get<double>(), latency["endpoint"]["min"].get<double>());
  EXPECT_EQ(latency["server_endpoint"]["median"], 100.0);
  EXPECT_EQ(latency["server_first_packet"]["median"], 150.0);
  EXPECT_THAT(TurnsText(report), HasSubstr("turn latency"));
}

TEST_F(TurnsTest, AStoryIsToldInOneSession) {
  const ScriptedServer server(AnsweringScript(kRate));
  Question question;
  question.text = "what is my name";
  question.answers = {"answer 3"};
  question.before.resize(2);
  question.before[0].text = "my name is ann";
  question.before[1].text = "nice weather";
  TurnsOptions options;
  options.server = server.target();
  options.turns = 2;
  options.turns_per_session = 100;
  options.typed = true;
  options.real_time = false;
  options.speak = false;
  const auto turns = RunTurns({question}, options, nullptr);
  ASSERT_TRUE(turns.ok());
  for (const Turn& turn : *turns) EXPECT_TRUE(turn.right.value_or(false)) << turn.answer.text;
}

TEST_F(TurnsTest, FailedTurnsAreCountedNotHidden) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    return grpc::Status(grpc::StatusCode::INTERNAL, "broken");
  });
  const std::vector<Question> questions = {Spoken("answer 1")};
  TurnsOptions options;
  options.server = server.target();
  options.turns = 3;
  options.real_time = false;
  const auto turns = RunTurns(questions, options, nullptr);
  ASSERT_TRUE(turns.ok());
  ASSERT_EQ(turns->size(), 3u);
  EXPECT_EQ((*turns)[0].status, Internal("broken"));
  EXPECT_THAT(ComplaintText(questions[0], (*turns)[0]), HasSubstr("INTERNAL: broken"));
  const nlohmann::json report = TurnsJson(questions, *turns, options, 1.0);
  EXPECT_EQ(report["failures"], 3);
  EXPECT_EQ(report["rows"][0]["judged"], 3);
  EXPECT_EQ(report["rows"][0]["accuracy"], 0.0);
}

TEST_F(TurnsTest, TypedTurnsDoNotFlatterTheLatency) {
  const ScriptedServer server(AnsweringScript(kRate));
  Question typed;
  typed.text = "hello";
  const std::vector<Question> questions = {Spoken("answer 1"), typed};
  TurnsOptions options;
  options.server = server.target();
  options.turns = 2;
  auto turns = RunTurns(questions, options, nullptr);
  ASSERT_TRUE(turns.ok());
  EXPECT_EQ(TurnsJson(questions, *turns, options, 1.0)["latency_ms"]["turn"]["count"], 1);
  turns = RunTurns({typed}, options, nullptr);
  ASSERT_TRUE(turns.ok());
  EXPECT_EQ(TurnsJson({typed}, *turns, options, 1.0)["latency_ms"]["turn"]["count"], 2);
}

TEST_F(TurnsTest, ThePreviewOfAPictureIsTimedFromTheFirstText) {
  Question question;
  question.text = "draw a star";
  TurnsOptions options;
  options.typed = true;
  Turn drawn;
  drawn.answer.latency.first_text_ms = 20;
  drawn.answer.latency.first_image_ms = 150;
  Turn spoken;
  spoken.answer.latency.first_text_ms = 20;
  const nlohmann::json report = TurnsJson({question}, {drawn, spoken}, options, 1.0);
  const nlohmann::json& preview = report["latency_ms"]["preview_after_first_text"];
  EXPECT_EQ(preview["count"], 1);
  EXPECT_EQ(preview["median"], 130.0);
}

TEST_F(TurnsTest, AFullServerIsAskedAgain) {
  std::atomic<int> calls = 0;
  const auto answering = AnsweringScript(kRate);
  const ScriptedServer server([&](Call& call) {
    if (++calls > 2) return answering(call);
    call.context().AddTrailingMetadata("retry-after-ms", "20");
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  });
  const std::vector<Question> questions = {Spoken("answer 1")};
  TurnsOptions options;
  options.server = server.target();
  options.turns = 1;
  options.real_time = false;
  const auto turns = RunTurns(questions, options, nullptr);
  ASSERT_TRUE(turns.ok());
  EXPECT_TRUE(turns->at(0).status.ok()) << turns->at(0).status.ToString();
  EXPECT_EQ(turns->at(0).refusals, 2);
}

TEST_F(TurnsTest, TypingNeedsTexts) {
  Question question = Spoken("x");
  question.text.clear();
  TurnsOptions options;
  options.typed = true;
  EXPECT_EQ(RunTurns({question}, options, nullptr).status().code(), StatusCode::kInvalidArgument);
}

TEST(ServerProcessTest, AProgramThatIsNoServer) {
  const auto missing = ServerProcess::Start("/nonexistent/antiphond", {});
  EXPECT_EQ(missing.status().code(), StatusCode::kUnavailable);
  const auto ended = ServerProcess::Start("/bin/true", {});
  EXPECT_EQ(ended.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(ended.status().message(), HasSubstr("ended before it answered"));
}

}  // namespace
}  // namespace antiphon::bench
