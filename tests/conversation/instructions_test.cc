// Instructions of a session: who may have them, and until when they may change.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

const char kField[] = "session_update.config.instructions";

ModelDescription TestModelOfInstructions() {
  ModelDescription model = TestModel();
  model.max_instruction_pieces = 100;
  return model;
}

class InstructionsTest : public ConversationFixture {
 protected:
  explicit InstructionsTest(const ModelDescription& model = TestModelOfInstructions())
      : ConversationFixture(model) {}

  void Instruct(const std::string& text) { Client(client_event::SessionUpdate{{.instructions = text}}); }
};

class NoInstructionsTest : public InstructionsTest {
 protected:
  NoInstructionsTest() : InstructionsTest(TestModel()) {}
};

TEST_F(InstructionsTest, ReachTheModelAndAreTold) {
  EXPECT_TRUE(record_->instructions.empty());
  Instruct("be kind");
  EXPECT_EQ(One<server_event::SessionUpdated>().config.instructions, "be kind");
  Client(client_event::SessionUpdate{{.max_response_seconds = 10}});
  EXPECT_EQ(All<server_event::SessionUpdated>().back().config.instructions, "be kind") << "unset: unchanged";
  Instruct("be short");
  Instruct("");
  EXPECT_EQ(record_->instructions, (std::vector<std::string>{"be kind", "be short", ""}));
  EXPECT_EQ(All<server_event::SessionUpdated>().back().config.instructions, "");
}

TEST_F(InstructionsTest, AreFixedByTheFirstTurn) {
  Instruct("be kind");
  Client(client_event::TextAppend{"hello"});
  events_.clear();
  Instruct("be short");
  ExpectError(StatusCode::kFailedPrecondition, kField, "the first turn has begun");
  Instruct("be kind");  // those it has
  EXPECT_EQ(One<server_event::SessionUpdated>().config.instructions, "be kind");
  events_.clear();
  Client(client_event::Clear{});
  Instruct("");
  ExpectError(StatusCode::kFailedPrecondition, kField, "the first turn has begun");
  EXPECT_EQ(record_->instructions, std::vector<std::string>{"be kind"});
}

TEST_F(InstructionsTest, AVoiceIsATurnAndSilenceIsNone) {
  Pause(500);
  Instruct("be kind");
  Speak(500);
  events_.clear();
  Instruct("be short");
  ExpectError(StatusCode::kFailedPrecondition, kField, "the first turn has begun");
  EXPECT_EQ(record_->instructions, std::vector<std::string>{"be kind"});
}

TEST_F(InstructionsTest, AnImportedSessionBringsItsOwn) {
  Client(client_event::ImportSession{"bytes"});
  Instruct("be kind");
  ExpectError(StatusCode::kFailedPrecondition, kField, "imported");
  EXPECT_TRUE(record_->instructions.empty());
}

TEST_F(InstructionsTest, NoneIsImportedBehindThem) {
  Instruct("be kind");
  events_.clear();
  Client(client_event::ImportSession{"bytes"});
  ExpectError(StatusCode::kFailedPrecondition, "", "without instructions");
  EXPECT_TRUE(record_->restored.empty());
}

TEST_F(InstructionsTest, AMistakeChangesNothing) {
  Instruct(std::string(16384, 'x'));
  events_.clear();
  const size_t configured = record_->options.size();
  Instruct(std::string(16385, 'x'));
  ExpectError(StatusCode::kInvalidArgument, kField, "16385 bytes, must have at most 16384");
  record_->append_result = InvalidArgument("the instructions have 101 pieces, the model reads at most 100");
  Client(client_event::SessionUpdate{{.max_response_seconds = 3, .instructions = "too many"}});
  ExpectError(StatusCode::kInvalidArgument, kField, "at most 100");
  EXPECT_EQ(record_->options.size(), configured);
  EXPECT_EQ(record_->instructions.size(), 1u);
}

TEST_F(NoInstructionsTest, AModelThatKnowsNoneRefusesThem) {
  Instruct("be kind");
  ExpectError(StatusCode::kUnimplemented, kField, "not trained with any");
  Instruct("");
  EXPECT_EQ(One<server_event::SessionUpdated>().config.instructions, "");
  EXPECT_TRUE(record_->instructions.empty());
}

}  // namespace
}  // namespace antiphon
