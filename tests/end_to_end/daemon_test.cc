// antiphond as an operator meets it: what it says, how it ends.
#include "tests/end_to_end/daemon.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "antiphon/client.h"

namespace antiphon {
namespace {

constexpr char kModel[] = "models/wren";

TEST(DaemonTest, HelpNamesEveryOption) {
  Daemon daemon({"--help"});
  EXPECT_EQ(daemon.WaitForExit(), 0);
  for (const char* option :
       {"--model", "--listen", "--max-sessions", "--max-session-seconds", "--idle-seconds",
        "--max-message-bytes", "--drain-seconds", "--threads", "--weights", "--log-level"}) {
    EXPECT_NE(daemon.StandardOutput().find(option), std::string::npos) << option;
  }
}

TEST(DaemonTest, AMistakeOnTheCommandLineIsExitCode2) {
  const std::vector<std::string> mistakes[] = {{"--no-such-option"},       {"--max-sessions", "0"},
                                               {"--max-sessions", "many"}, {"--max-message-bytes", "1"},
                                               {"--weights", "int3"},      {"--log-level", "loud"}};
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
