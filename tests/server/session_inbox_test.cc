#include "server/session_inbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace antiphon {
namespace {

TimePoint Soon(int ms = 0) { return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms); }

TEST(SessionInboxTest, HandsOutWhatCameInItsOrder) {
  SessionInbox inbox(8, 8);
  EXPECT_TRUE(inbox.PushClient({"a", {}, client_event::Commit{}}));
  inbox.PushEngine(1, TranscriptDelta{"word"});
  inbox.PushHalfClose();
  const auto batch = inbox.Wait(Soon());
  ASSERT_EQ(batch.inputs.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<ClientEvent>(batch.inputs[0]));
  EXPECT_TRUE(std::holds_alternative<EngineInput>(batch.inputs[1]));
  EXPECT_TRUE(std::holds_alternative<HalfClose>(batch.inputs[2]));
  EXPECT_TRUE(inbox.Wait(Soon()).inputs.empty());
}

TEST(SessionInboxTest, PausesTheReaderUntilTheSessionHasCaughtUp) {
  SessionInbox inbox(2, 8);
  EXPECT_TRUE(inbox.PushClient({}));
  EXPECT_FALSE(inbox.PushClient({}));
  EXPECT_TRUE(inbox.Wait(Soon()).resume_reading);
  EXPECT_TRUE(inbox.PushClient({}));
  EXPECT_FALSE(inbox.Wait(Soon()).resume_reading) << "the reader did not pause";
}

TEST(SessionInboxTest, ResultsThatPileUpEndTheSession) {
  SessionInbox inbox(2, 3);
  for (int i = 0; i < 3; ++i) inbox.PushEngine(1, TranscriptDelta{"word"});
  EXPECT_FALSE(inbox.Wait(Soon()).abort);
  for (int i = 0; i < 4; ++i) inbox.PushEngine(1, TranscriptDelta{"word"});
  const auto batch = inbox.Wait(Soon());
  ASSERT_TRUE(batch.abort);
  EXPECT_EQ(batch.abort->code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(batch.inputs.size(), 3u);
}

TEST(SessionInboxTest, TheFirstAbortCounts) {
  SessionInbox inbox(2, 2);
  inbox.Abort(InvalidArgument("first"));
  inbox.Abort(Internal("second"));
  EXPECT_EQ(inbox.Wait(Soon()).abort->message(), "first");
}

TEST(SessionInboxTest, DrainingWakesOnceAndIsRemembered) {
  SessionInbox inbox(2, 2);
  std::thread other([&inbox] { inbox.Drain(); });
  EXPECT_TRUE(inbox.Wait(Soon(5000)).draining);
  other.join();
  const TimePoint before = Soon();
  EXPECT_TRUE(inbox.Wait(Soon(20)).draining);
  EXPECT_GE(Soon() - before, std::chrono::milliseconds(20)) << "nothing new: it waits";
}

}  // namespace
}  // namespace antiphon
