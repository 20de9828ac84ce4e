#include "server/session_inbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace antiphon {
namespace {

TimePoint Soon(int ms = 0) { return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms); }

constexpr size_t kManyBytes = 1 << 20;

// The id of the oldest event of the client.
std::string TakeEvent(SessionInbox& inbox) {
  return std::get<ClientEvent>(inbox.TakeClient().input).event_id;
}

TEST(SessionInboxTest, HandsOutWhatCameInItsOrder) {
  SessionInbox inbox({8, kManyBytes, 8});
  EXPECT_TRUE(inbox.PushClient({"a", {}, client_event::Commit{}}, 1));
  EXPECT_TRUE(inbox.PushClient({"b", {}, client_event::Commit{}}, 1));
  inbox.PushHalfClose();
  for (const uint64_t turn : {1, 2}) inbox.PushEngine(turn, TranscriptDelta{"word"});
  const auto batch = inbox.Wait(Soon(), true);
  ASSERT_EQ(batch.client_inputs, 3u);
  EXPECT_EQ(TakeEvent(inbox), "a");
  EXPECT_EQ(TakeEvent(inbox), "b");
  EXPECT_TRUE(std::holds_alternative<HalfClose>(inbox.TakeClient().input));
  ASSERT_EQ(batch.results.size(), 2u);
  EXPECT_EQ(batch.results[0].turn, 1u);
  EXPECT_EQ(batch.results[1].turn, 2u);
  const auto last = inbox.Wait(Soon(), true);
  EXPECT_EQ(last.client_inputs, 0u);
  EXPECT_TRUE(last.results.empty());
}

TEST(SessionInboxTest, PausesTheReaderUntilTheSessionHasCaughtUp) {
  SessionInbox inbox({4, kManyBytes, 8});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(inbox.PushClient({}, 1));
  EXPECT_FALSE(inbox.PushClient({}, 1));
  EXPECT_FALSE(inbox.TakeClient().resume_reading) << "more than half of it waits still";
  EXPECT_TRUE(inbox.TakeClient().resume_reading);
  EXPECT_FALSE(inbox.TakeClient().resume_reading) << "it goes on already";
  EXPECT_TRUE(inbox.PushClient({}, 1));
  EXPECT_FALSE(inbox.TakeClient().resume_reading) << "the reader did not pause";
}

TEST(SessionInboxTest, PausesTheReaderAtTheLimitOfBytes) {
  SessionInbox inbox({8, 1000, 8});
  EXPECT_TRUE(inbox.PushClient({}, 600));
  EXPECT_FALSE(inbox.PushClient({}, 600));
  EXPECT_FALSE(inbox.TakeClient().resume_reading) << "more than half of it waits still";
  EXPECT_TRUE(inbox.TakeClient().resume_reading);
}

TEST(SessionInboxTest, ASessionThatAcceptsNothingIsOnlyWokenByItsModel) {
  SessionInbox inbox({2, kManyBytes, 8});
  EXPECT_TRUE(inbox.PushClient({"a", {}, client_event::Commit{}}, 1));
  EXPECT_FALSE(inbox.PushClient({"b", {}, client_event::Commit{}}, 1));
  const TimePoint before = Soon();
  EXPECT_TRUE(inbox.Wait(Soon(20), false).results.empty());
  EXPECT_GE(Soon() - before, std::chrono::milliseconds(20)) << "what it does not accept is nothing new";
  std::thread engine([&inbox] { inbox.PushEngine(1, RoomForFrames{1}); });
  EXPECT_EQ(inbox.Wait(Soon(5000), false).results.size(), 1u);
  engine.join();
  EXPECT_EQ(inbox.Wait(Soon(5000), true).client_inputs, 2u);
  EXPECT_EQ(TakeEvent(inbox), "a");
}

TEST(SessionInboxTest, ResultsThatPileUpEndTheSession) {
  SessionInbox inbox({2, kManyBytes, 3});
  for (int i = 0; i < 3; ++i) inbox.PushEngine(1, TranscriptDelta{"word"});
  EXPECT_FALSE(inbox.Wait(Soon(), true).abort);
  for (int i = 0; i < 4; ++i) inbox.PushEngine(1, TranscriptDelta{"word"});
  const auto batch = inbox.Wait(Soon(), true);
  ASSERT_TRUE(batch.abort);
  EXPECT_EQ(batch.abort->code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(batch.results.size(), 3u);
}

TEST(SessionInboxTest, TheFirstAbortCounts) {
  SessionInbox inbox({2, kManyBytes, 2});
  inbox.Abort(InvalidArgument("first"));
  inbox.Abort(Internal("second"));
  EXPECT_EQ(inbox.Wait(Soon(), false).abort->message(), "first");
}

TEST(SessionInboxTest, WakesForWhatIsNoInput) {
  SessionInbox inbox({8, kManyBytes, 8});
  inbox.Wake();
  const auto batch = inbox.Wait(Soon(60'000), true);
  EXPECT_EQ(batch.client_inputs, 0u);
  EXPECT_TRUE(batch.results.empty());
  EXPECT_FALSE(batch.abort);
  const TimePoint begun = Soon();
  inbox.Wait(Soon(20), true);
  EXPECT_GE(Soon() - begun, std::chrono::milliseconds(20)) << "it woke once";
}

TEST(SessionInboxTest, DrainingWakesOnceAndIsRemembered) {
  SessionInbox inbox({2, kManyBytes, 2});
  std::thread other([&inbox] { inbox.Drain(); });
  EXPECT_TRUE(inbox.Wait(Soon(5000), false).draining);
  other.join();
  const TimePoint before = Soon();
  EXPECT_TRUE(inbox.Wait(Soon(20), true).draining);
  EXPECT_GE(Soon() - before, std::chrono::milliseconds(20)) << "nothing new: it waits";
}

// As in a session: a reader that pauses when told to, an engine that never waits, and one thread that takes
// out.
TEST(SessionInboxTest, LosesNothingBetweenThreads) {
  constexpr int kEvents = 3000;
  SessionInbox inbox({4, kManyBytes, kEvents});
  std::atomic<int> resumed{1};
  std::thread reader([&] {
    for (int i = 0; i < kEvents; ++i) {
      while (resumed.load() == 0) std::this_thread::yield();
      resumed = 0;  // before the push: the session may say "go on" before the push has returned
      if (inbox.PushClient({std::to_string(i), {}, client_event::Commit{}}, 1)) resumed = 1;
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
    const SessionInbox::Batch batch = inbox.Wait(Soon(20'000), true);
    ASSERT_TRUE(batch.client_inputs > 0 || !batch.results.empty());
    for (size_t i = 0; i < batch.client_inputs; ++i) {
      const SessionInbox::Taken taken = inbox.TakeClient();
      if (taken.resume_reading) resumed = 1;
      if (const auto* event = std::get_if<ClientEvent>(&taken.input)) {
        EXPECT_EQ(event->event_id, std::to_string(clients++));
      } else {
        closed = true;
      }
    }
    for (const EngineInput& result : batch.results) EXPECT_EQ(result.turn, results++);
  }
  EXPECT_EQ(clients, kEvents);
  reader.join();
  engine.join();
}

}  // namespace
}  // namespace antiphon
