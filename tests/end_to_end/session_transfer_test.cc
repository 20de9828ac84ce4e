// A conversation that goes on in another process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "client/session_file.h"
#include "tests/end_to_end/model_fixture.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

constexpr std::chrono::seconds kPatience{30};

class SessionTransferTest : public ModelTest {};

TEST_F(SessionTransferTest, ASessionGoesOnOnAnotherServer) {
  std::string snapshot;
  {
    auto conversation = Open();
    ASSERT_TRUE(conversation);
    EXPECT_FALSE(Ask(*conversation, client::TypedQuestion{"my name is ann"}).text.empty());
    auto exported = client::ExportSession(*conversation, kPatience);
    ASSERT_TRUE(exported.ok()) << exported.status().ToString();
    snapshot = *exported;
    EXPECT_EQ(Ask(*conversation, client::TypedQuestion{"what is my name"}).text, "your name is ann");
  }
  Daemon other({"--model", "models/wren", "--listen", "127.0.0.1:0"});
  const auto address = other.WaitUntilListening();
  ASSERT_TRUE(address);
  auto client = client::Client::Connect(*address, {});
  ASSERT_TRUE(client.ok());
  auto conversation = (*client)->Open({});
  ASSERT_TRUE(conversation.ok());
  const Status imported = client::ImportSession(**conversation, snapshot, kPatience);
  ASSERT_TRUE(imported.ok()) << imported.ToString();
  EXPECT_EQ(Ask(**conversation, client::TypedQuestion{"what is my name"}).text, "your name is ann");
}

TEST_F(SessionTransferTest, ABrokenSessionIsRefusedAndTheConversationGoesOn) {
  auto conversation = Open();
  ASSERT_TRUE(conversation);
  auto exported = client::ExportSession(*conversation, kPatience);
  ASSERT_TRUE(exported.ok());
  exported->back() = static_cast<char>(exported->back() ^ 1);
  EXPECT_EQ(client::ImportSession(*conversation, *exported, kPatience).code(), StatusCode::kDataLoss);
  EXPECT_EQ(client::ImportSession(*conversation, "no session", kPatience).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Ask(*conversation, client::TypedQuestion{"what day comes after monday"}).text,
            "tuesday comes after monday");
}

// `antiphon ask` on this server, with its standard output.
std::string AskProgram(const std::string& address, const std::string& arguments) {
  const std::string command =
      "'" ANTIPHON_PROGRAM "' ask --write --server " + address + " " + arguments + " 2>&1";
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, got);
  pclose(pipe);
  return output;
}

TEST_F(SessionTransferTest, TheCommandLineGoesOnFromAFile) {
  char name[] = "/tmp/antiphon_session_XXXXXX";
  const int file = mkstemp(name);
  ASSERT_GE(file, 0);
  close(file);
  const std::string path = name;
  const std::string address = daemon_.WaitUntilListening().value();
  EXPECT_THAT(AskProgram(address, "--text 'my name is ann' --out-session " + path), HasSubstr("ann"));
  EXPECT_THAT(AskProgram(address, "--text 'what is my name' --from-session " + path),
              HasSubstr("your name is ann"));
  EXPECT_THAT(AskProgram(address, "--text 'what is my name' --from-session " + path + ".none"),
              HasSubstr("NOT_FOUND"));
  std::remove(name);
}

}  // namespace
}  // namespace antiphon
