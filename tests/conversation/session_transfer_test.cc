// Sessions that are exported, and gone on with.
#include <gtest/gtest.h>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

class SessionTransferTest : public ConversationFixture {};

TEST_F(SessionTransferTest, IsExportedBetweenTurns) {
  BeginAnswer();
  Client(client_event::ExportSession{});
  ExpectError(StatusCode::kFailedPrecondition, "", "between turns");
  EngineIsDone();
  Client(client_event::ExportSession{});
  EXPECT_EQ(record_->exports, 1);
  Engine(1, SequenceExported{"bytes"});
  EXPECT_EQ(One<server_event::SessionExported>().snapshot, "bytes");
  Client(client_event::TextAppend{"more"});
  Client(client_event::ExportSession{});
  ExpectError(StatusCode::kFailedPrecondition, "", "between turns");
}

TEST_F(SessionTransferTest, AnEngineThatHasGoneOnExportsNothing) {
  Client(client_event::ExportSession{});
  Engine(0, SequenceExported{});
  ExpectError(StatusCode::kFailedPrecondition, "", "between turns");
}

TEST_F(SessionTransferTest, IsImportedBeforeAnythingIsSaid) {
  Client(client_event::ImportSession{"bytes"});
  EXPECT_EQ(record_->restored, std::vector<std::string>{"bytes"});
  EXPECT_EQ(One<server_event::SessionImported>().context_positions, 7);
  Client(client_event::ImportSession{"bytes"});
  ExpectError(StatusCode::kFailedPrecondition, "", "nothing has been said");
  EXPECT_EQ(record_->restored.size(), 1u);
}

TEST_F(SessionTransferTest, IsNotImportedLater) {
  Client(client_event::TextAppend{"hello"});
  Client(client_event::ImportSession{"bytes"});
  ExpectError(StatusCode::kFailedPrecondition, "", "nothing has been said");
  Client(client_event::Commit{});
  EngineAnswers(1, TurnEndCause::kCommit);
  EngineIsDone();
  Client(client_event::ImportSession{"bytes"});
  ExpectError(StatusCode::kFailedPrecondition, "", "nothing has been said");
}

TEST_F(SessionTransferTest, WhatTheEngineRefusesIsTold) {
  record_->append_result = DataLoss("the session's checksum is wrong");
  Client(client_event::ImportSession{"bytes"});
  ExpectError(StatusCode::kDataLoss, "import_session.snapshot", "checksum");
  record_->append_result = OkStatus();
  Client(client_event::ImportSession{"bytes"});
  EXPECT_EQ(record_->restored.size(), 1u) << "a refused one is none";
}

}  // namespace
}  // namespace antiphon
