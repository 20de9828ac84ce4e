// antiphond as an operator meets it: what it says, how it ends.
#include "tests/end_to_end/daemon.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "tests/common/exposition.h"
#include "tests/common/http_connection.h"

namespace antiphon {
namespace {

constexpr char kModel[] = "models/wren";

TEST(DaemonTest, HelpNamesEveryOption) {
  Daemon daemon({"--help"});
  EXPECT_EQ(daemon.WaitForExit(), 0);
  for (const char* option :
       {"--model", "--listen", "--max-sessions", "--max-session-seconds", "--idle-seconds",
        "--max-message-bytes", "--drain-seconds", "--threads", "--speculative-steps", "--kv-pages",
        "--prefix-pages", "--interrupt-by", "--weights", "--kv", "--log-level", "--metrics-address"}) {
    EXPECT_NE(daemon.StandardOutput().find(option), std::string::npos) << option;
  }
}

TEST(DaemonTest, AMistakeOnTheCommandLineIsExitCode2) {
  const std::vector<std::string> mistakes[] = {
      {"--no-such-option"},         {"--max-sessions", "0"},
      {"--max-sessions", "many"},   {"--max-message-bytes", "1"},
      {"--weights", "int3"},        {"--speculative-steps", "65"},
      {"--kv-pages", "-1"},         {"--prefix-pages", "4097"},
      {"--interrupt-by", "length"}, {"--kv", "int4"},
      {"--log-level", "loud"},      {"--metrics-address", "nowhere"}};
  for (const auto& arguments : mistakes) {
    Daemon daemon(arguments);
    EXPECT_EQ(daemon.WaitForExit(), 2) << arguments[0];
    EXPECT_NE(daemon.StandardError().find(arguments[0]), std::string::npos) << daemon.StandardError();
    EXPECT_TRUE(daemon.StandardOutput().empty());
  }
}

TEST(DaemonTest, AModelThatIsNotThereIsExitCode3) {
  Daemon daemon({"--model", "models/nobody"});
  EXPECT_EQ(daemon.WaitForExit(), 3);
  EXPECT_NE(daemon.StandardError().find("models/nobody"), std::string::npos) << daemon.StandardError();
}

TEST(DaemonTest, AnAddressThatCannotBeHadIsExitCode4) {
  Daemon first({"--model", kModel, "--listen", "127.0.0.1:0"});
  const auto address = first.WaitUntilListening();
  ASSERT_TRUE(address) << first.StandardError();
  Daemon second({"--model", kModel, "--listen", *address});
  EXPECT_EQ(second.WaitForExit(), 4);
  EXPECT_NE(second.StandardError().find(*address), std::string::npos) << second.StandardError();
}

// Of its metrics, as it says on standard output. "" when it says none.
std::string MetricsAddress(const Daemon& daemon) {
  const std::string output = daemon.StandardOutput();
  const std::string words = "metrics on http://";
  const size_t begin = output.find(words);
  const size_t end = output.find("/metrics\n", begin);
  if (begin == std::string::npos || end == std::string::npos) return "";
  return output.substr(begin + words.size(), end - begin - words.size());
}

TEST(DaemonTest, ServesTheMetricsOfATurn) {
  Daemon daemon({"--model", kModel, "--listen", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0"});
  const auto address = daemon.WaitUntilListening();
  ASSERT_TRUE(address) << daemon.StandardError();
  const std::string metrics_address = MetricsAddress(daemon);
  ASSERT_FALSE(metrics_address.empty()) << daemon.StandardOutput();
  auto client = client::Client::Connect(*address, {});
  ASSERT_TRUE(client.ok()) << client.status().ToString();
  auto conversation = (*client)->Open({});
  ASSERT_TRUE(conversation.ok()) << conversation.status().ToString();
  client::Answer answer;
  const Status asked =
      client::Ask(**conversation, client::TypedQuestion{"what is two plus two"}, {}, &answer);
  ASSERT_TRUE(asked.ok()) << asked.ToString();

  const std::string text = HttpGet(metrics_address, "/metrics");
  EXPECT_EQ(ValueOf(text, "antiphon_turns_total{cause=\"commit\",kind=\"conversation\"}"), 1);
  EXPECT_EQ(ValueOf(text, "antiphon_turn_latency_seconds_count{input=\"typed\"}"), 1);
  EXPECT_EQ(ValueOf(text, "antiphon_turn_first_frame_seconds_count{input=\"typed\"}"), 1);
  EXPECT_EQ(ValueOf(text, "antiphon_spoken_frames_total"), answer.usage.spoken_frames);
  EXPECT_GE(ValueOf(text, "antiphon_engine_spoken_frames_total"), answer.usage.spoken_frames);
  EXPECT_GT(ValueOf(text, "antiphon_engine_steps_total"), answer.usage.spoken_frames);
  EXPECT_EQ(ValueOf(text, "antiphon_engine_steps_total"),
            ValueOf(text, "antiphon_engine_step_positions_count"));
  EXPECT_GT(ValueOf(text, "antiphon_engine_step_seconds_total"), 0);
  EXPECT_GT(ValueOf(text, "antiphon_engine_pages_in_use"), 0);
  EXPECT_GT(ValueOf(text, "antiphon_engine_pages"), ValueOf(text, "antiphon_engine_pages_in_use"));
  EXPECT_EQ(ValueOf(text, "antiphon_engine_sequences_open"), 1);
  daemon.Signal(SIGTERM);
  EXPECT_EQ(daemon.WaitForExit(), 0) << daemon.StandardError();
}

TEST(DaemonTest, AnAddressForMetricsThatCannotBeHadIsExitCode4) {
  Daemon first({"--model", kModel, "--listen", "127.0.0.1:0"});
  const auto address = first.WaitUntilListening();
  ASSERT_TRUE(address) << first.StandardError();
  EXPECT_EQ(MetricsAddress(first), "") << "nobody asked for them";
  Daemon second({"--model", kModel, "--listen", "127.0.0.1:0", "--metrics-address", *address});
  EXPECT_EQ(second.WaitForExit(), 4);
  EXPECT_NE(second.StandardError().find("cannot listen on " + *address + " for metrics"), std::string::npos)
      << second.StandardError();
}

TEST(DaemonTest, SigtermEndsItCleanly) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Daemon daemon({"--model", kModel, "--listen", "127.0.0.1:0"});
    ASSERT_TRUE(daemon.WaitUntilListening()) << daemon.StandardError();
    daemon.Signal(signal);
    EXPECT_EQ(daemon.WaitForExit(), 0) << daemon.StandardError();
  }
}

TEST(DaemonTest, ADrainLetsTheAnswerUnderWayFinish) {
  Daemon daemon({"--model", kModel, "--listen", "127.0.0.1:0", "--drain-seconds", "30"});
  const auto address = daemon.WaitUntilListening();
  ASSERT_TRUE(address) << daemon.StandardError();
  auto client = client::Client::Connect(*address, {});
  ASSERT_TRUE(client.ok()) << client.status().ToString();
  auto conversation = (*client)->Open({});
  ASSERT_TRUE(conversation.ok()) << conversation.status().ToString();
  ASSERT_TRUE((*conversation)->AppendText("count from one to five").ok());
  ASSERT_TRUE((*conversation)->Commit().ok());
  bool told = false;
  bool done = false;
  while (true) {
    auto event = (*conversation)->NextEvent(std::chrono::seconds(30));
    ASSERT_TRUE(event.ok()) << event.status().ToString();
    if (std::holds_alternative<client::ResponseStarted>(event->body)) {
      daemon.Signal(SIGTERM);
      told = true;
    }
    if (const auto* over = std::get_if<client::ResponseDone>(&event->body)) {
      EXPECT_EQ(over->end, ResponseEnd::kCompleted);
      done = true;
    }
    if (const auto* closed = std::get_if<client::Closed>(&event->body)) {
      EXPECT_EQ(closed->status.code(), StatusCode::kUnavailable) << closed->status.ToString();
      break;
    }
  }
  EXPECT_TRUE(told && done);
  EXPECT_EQ(daemon.WaitForExit(), 0) << daemon.StandardError();
}

}  // namespace
}  // namespace antiphon
