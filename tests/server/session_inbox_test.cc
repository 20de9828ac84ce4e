#include "server/session_inbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
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

// As in a session: a reader that pauses when told to, an engine that never waits, and one thread that takes
// out.
TEST(SessionInboxTest, LosesNothingBetweenThreads) {
  constexpr int kEvents = 3000;
  SessionInbox inbox(4, kEvents);
  std::atomic<int> resumed{1};
  std::thread reader([&] {
    for (int i = 0; i < kEvents; ++i) {
      while (resumed.load() == 0) std::this_thread::yield();
      resumed = 0;  // before the push: the session may say "go on" before the push has returned
      if (inbox.PushClient({std::to_string(i), {}, client_event::Commit{}})) resumed = 1;
    }
    inbox.PushHalfClose();
  });
  std::thread engine([&] {
    for (int i = 0; i < kEvents; ++i) inbox.PushEngine(static_cast<uint64_t>(i), TranscriptDelta{"word"});
  });
  int clients = 0;
  uint64_t results = 0;
  bool closed = false;
  while (!closed || results < kEvents) {
    SessionInbox::Batch batch = inbox.Wait(Soon(20'000));
    ASSERT_FALSE(batch.inputs.empty());
    for (const SessionInput& input : batch.inputs) {
      if (const auto* event = std::get_if<ClientEvent>(&input)) {
        EXPECT_EQ(event->event_id, std::to_string(clients++));
      } else if (const auto* result = std::get_if<EngineInput>(&input)) {
        EXPECT_EQ(result->turn, results++);
      } else {
        closed = true;
      }
    }
    if (batch.resume_reading) resumed = 1;
  }
  EXPECT_EQ(clients, kEvents);
  reader.join();
  engine.join();
}

}  // namespace
}  // namespace antiphon
