// `antiphon quantize` as a user runs it, and int8 models served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "tests/end_to_end/daemon.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

constexpr char kModel[] = "models/wren";

struct Outcome {
  int exit_status = -1;
  std::string output;  // both streams
};

Outcome Quantize(const std::string& arguments) {
  Outcome run;
  FILE* pipe = popen(("'" ANTIPHON_PROGRAM "' quantize " + arguments + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) run.output.append(buffer, got);
  const int status = pclose(pipe);
  run.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return run;
}

class QuantizeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/antiphon_quantize_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // The written, greedy answer of a server that was started so.
  std::string Answer(const std::vector<std::string>& arguments) {
    Daemon daemon(arguments);
    const auto address = daemon.WaitUntilListening();
    EXPECT_TRUE(address) << daemon.StandardError();
    if (!address) return {};
    const auto client = client::Client::Connect(*address, {});
    EXPECT_TRUE(client.ok()) << client.status().ToString();
    client::ConversationOptions options;
    options.settings.speak = false;
    const auto conversation = (*client)->Open(options);
    EXPECT_TRUE(conversation.ok()) << conversation.status().ToString();
    client::Answer answer;
    const Status status =
        client::Ask(**conversation, client::TypedQuestion{"count from one to five"}, {}, &answer);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return answer.text;
  }

  std::string folder_;
};

TEST_F(QuantizeTest, AnInt8CopyAnswersAsTheModelDoes) {
  const std::string out = folder_ + "/int8";
  const Outcome run = Quantize(std::string("--model ") + kModel + " --out " + out);
  ASSERT_EQ(run.exit_status, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("int8"));
  const std::string expected = Answer({"--model", kModel, "--listen", "127.0.0.1:0"});
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(Answer({"--model", out, "--listen", "127.0.0.1:0"}), expected);
  EXPECT_EQ(Answer({"--model", kModel, "--weights", "int8", "--listen", "127.0.0.1:0"}), expected);
}

TEST_F(QuantizeTest, MistakesAreTold) {
  const Outcome help = Quantize("--help");
  EXPECT_EQ(help.exit_status, 0);
  EXPECT_THAT(help.output, HasSubstr("--out"));
  EXPECT_EQ(Quantize("").exit_status, 2);
  EXPECT_EQ(Quantize(std::string("--bits 3 --out x --model ") + kModel).exit_status, 2);
  const Outcome exists = Quantize(std::string("--model ") + kModel + " --out " + folder_);
  EXPECT_EQ(exists.exit_status, 1);
  EXPECT_THAT(exists.output, HasSubstr(folder_ + " exists"));
  const Outcome missing = Quantize("--model models/nobody --out " + folder_ + "/x");
  EXPECT_EQ(missing.exit_status, 1);
  EXPECT_THAT(missing.output, HasSubstr("models/nobody"));
}

}  // namespace
}  // namespace antiphon
