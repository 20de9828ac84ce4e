// `antiphon` called wrongly, and its smaller commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/client/command_line_fixture.h"

namespace antiphon::client {
namespace {

using nlohmann::json;
using testing::AnsweringScript;
using ::testing::HasSubstr;
using testing::ScriptedServer;

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
