// What antiphond --record writes, antiphon replay runs again: the same tokens, eight at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "tests/end_to_end/daemon.h"
#include "tests/end_to_end/speak.h"
#include "tests/model/scratch_folder.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

struct Outcome {
  int exit_status = -1;
  std::string output;
};

Outcome Replay(const std::string& address, const std::vector<std::string>& files) {
  std::string command = "'" ANTIPHON_PROGRAM "' replay --sessions 8 --server " + address;
  for (const std::string& file : files) command += " '" + file + "'";
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  Outcome outcome;
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) outcome.output.append(buffer, got);
  const int status = pclose(pipe);
  outcome.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

std::vector<std::string> RecordingsIn(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".recording") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

void Ask(client::Conversation& conversation, const client::Question& question) {
  client::Answer answer;
  const Status status = client::Ask(conversation, question, {}, &answer);
  EXPECT_TRUE(status.ok()) << status.ToString();
}

TEST(ReplayTest, TheOptionsAreThere) {
  Daemon help({"--help"});
  EXPECT_EQ(help.WaitForExit(), 0);
  for (const char* option : {"--record", "--record-limit-mib", "--allow-replay"}) {
    EXPECT_THAT(help.StandardOutput(), HasSubstr(option));
  }
  Daemon mistaken({"--record-limit-mib", "0"});
  EXPECT_EQ(mistaken.WaitForExit(), 2);
  EXPECT_THAT(mistaken.StandardError(), HasSubstr("--record-limit-mib"));
  const ScratchFolder scratch;
  const std::string file = scratch.Write("file", "x");
  Daemon nowhere({"--model", "models/wren", "--listen", "127.0.0.1:0", "--record", file});
  EXPECT_EQ(nowhere.WaitForExit(), 3);
  EXPECT_THAT(nowhere.StandardError(), HasSubstr(file));
}

TEST(ReplayTest, WhatWasRecordedComesOutAgain) {
  const ScratchFolder scratch;
  {
    Daemon daemon({"--model", "models/wren", "--listen", "127.0.0.1:0", "--record", scratch.path()});
    const auto address = daemon.WaitUntilListening();
    ASSERT_TRUE(address) << daemon.StandardError();
    auto client = client::Client::Connect(*address, {});
    ASSERT_TRUE(client.ok());
    for (uint64_t session = 0; session < 3; ++session) {
      client::ConversationOptions options;
      options.settings.sampling = SamplingOptions{.temperature = 0.8f, .seed = 40 + session};
      auto conversation = (*client)->Open(options);
      ASSERT_TRUE(conversation.ok()) << conversation.status().ToString();
      if (session != 1) {
        const Audio question = Speak("en-us", "what is the capital of france");
        Ask(**conversation, client::SpokenQuestion{question.samples, question.sample_rate, {}});
      }
      Ask(**conversation,
          client::TypedQuestion{session == 1 ? "draw a heart" : "count from three to seven", {}});
    }
    daemon.Signal(SIGTERM);
    EXPECT_EQ(daemon.WaitForExit(), 0);
  }
  std::vector<std::string> files = RecordingsIn(scratch.path());
  ASSERT_EQ(files.size(), 3u);
  std::stringstream content;
  content << std::ifstream(files[0], std::ios::binary).rdbuf();
  const std::string bytes = content.str();
  EXPECT_TRUE(bytes.starts_with("antiphon recording\n"));

  Daemon daemon({"--model", "models/wren", "--listen", "127.0.0.1:0", "--allow-replay"});
  const auto address = daemon.WaitUntilListening();
  ASSERT_TRUE(address) << daemon.StandardError();
  // Eight at a time, the same ones among them, and one of which the end is missing.
  for (const size_t again : {0, 1, 2, 0}) files.push_back(std::string(files[again]));
  files.push_back(scratch.Write("prefix", bytes.substr(0, bytes.size() * 2 / 3)));
  const Outcome equal = Replay(*address, files);
  EXPECT_EQ(equal.exit_status, 0) << equal.output;
  EXPECT_THAT(equal.output, HasSubstr("8 of 8 recordings equal"));
  EXPECT_THAT(equal.output, HasSubstr("recording broken off"));

  std::string broken = bytes;
  broken[broken.size() / 2] = static_cast<char>(broken[broken.size() / 2] ^ 1);
  const Outcome refused = Replay(*address, {scratch.Write("broken", broken)});
  EXPECT_EQ(refused.exit_status, 1);
  EXPECT_THAT(refused.output, HasSubstr("DATA_LOSS"));
}

}  // namespace
}  // namespace antiphon
