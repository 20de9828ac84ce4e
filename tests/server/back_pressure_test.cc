// A client that sends audio faster than the engine hears it is slowed down, and loses nothing by it.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "media/pcm.h"
#include "tests/conversation/voice.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;
using std::chrono::milliseconds;

constexpr milliseconds kNoLongestTurn{10 * 60 * 1000};
constexpr int kNeverByItself = 1'000'000;  // heard frames after which the model takes its turn

class BackPressureTest : public ServerFixture {
 protected:
  // A second of a voice.
  const std::string second_ = EncodePcm16(Voice(1000, 24000));

  bool SendSeconds(TestCall* call, int seconds) const {
    for (int i = 0; i < seconds; ++i) {
      if (!call->SendAudio(second_)) return false;
    }
    return true;
  }

  // Sends a voice that does not end, from a thread of its own, until the call is over; the engine can take a
  // fraction of it. Returns when the client has been held back for a while.
  std::future<void> Flood(TestCall* call) const {
    std::future<void> flood = std::async(std::launch::async, [this, call] {
      while (call->SendAudio(second_)) {
      }
    });
    call->ReadUntil(Event::kTranscriptDelta);
    std::this_thread::sleep_for(milliseconds(200));
    return flood;
  }
  // How the call ended. Nothing may be written any more when gRPC is asked for that.
  static grpc::Status End(TestCall* call, std::future<void>* flood) {
    while (call->Read()) {
    }
    flood->wait();
    return call->Finish();
  }
  // Hears a second in a quarter of one, and has room for less.
  FakeEngineOptions Slow() const {
    return {.frames_of_turn = kNeverByItself, .hearing = milliseconds(20), .max_pending_frames = 8};
  }
};

TEST_F(BackPressureTest, AMinuteOfSpeechSentAtOnceIsHeardWholeAndAnswered) {
  StartServer({.longest_turn = kNoLongestTurn},
              {.frames_of_turn = kNeverByItself, .hearing = milliseconds(2)});
  TestCall call(channel_);
  ASSERT_TRUE(SendSeconds(&call, 60));
  ASSERT_TRUE(call.Commit());
  call.HalfClose();
  std::vector<int> told;  // up to the response
  for (auto event = call.Read(); event; event = call.Read()) {
    ASSERT_FALSE(event->has_error()) << event->ShortDebugString();
    told.push_back(event->event_case());
    if (event->has_response_started()) break;
    if (event->has_turn_ended()) {
      EXPECT_EQ(event->turn_ended().cause(), v1::TurnEnded::CAUSE_COMMIT);
    }
  }
  EXPECT_EQ(told, (std::vector<int>{Event::kSessionCreated, Event::kSpeechStarted, Event::kTranscriptDelta,
                                    Event::kSpeechStopped, Event::kTurnEnded, Event::kResponseStarted}));
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.text, "i heard you");
  EXPECT_EQ(answer.done.status(), v1::ResponseDone::STATUS_COMPLETED);
  EXPECT_EQ(answer.done.usage().heard_frames(), 750u) << "60 s in frames of 80 ms";
  EXPECT_TRUE(call.End().ok());
}

TEST_F(BackPressureTest, ACancelBehindUnreadAudioIsReadOnceTheResponseHasBegun) {
  StartServer({.longest_turn = kNoLongestTurn}, {.step = milliseconds(5),
                                                 .endless = true,
                                                 .frames_of_turn = 100,
                                                 .hearing = milliseconds(5),
                                                 .max_pending_frames = 8});
  TestCall call(channel_);
  ASSERT_TRUE(SendSeconds(&call, 30));
  ASSERT_TRUE(call.Cancel());
  EXPECT_EQ(call.ReadUntil(Event::kTurnEnded).turn_ended().cause(), v1::TurnEnded::CAUSE_MODEL);
  EXPECT_EQ(call.ReadAnswer().done.status(), v1::ResponseDone::STATUS_CANCELLED);
}

TEST_F(BackPressureTest, SpeechBehindACancelIsHeardWhole) {
  FakeEngineOptions engine = Slow();
  engine.step = milliseconds(10);
  engine.answer_frames = 200;  // long enough to be cancelled
  StartServer({.longest_turn = kNoLongestTurn}, engine);
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  ASSERT_TRUE(call.Cancel());
  ASSERT_TRUE(SendSeconds(&call, 6));
  ASSERT_TRUE(call.Commit());
  EXPECT_EQ(call.ReadAnswer().done.status(), v1::ResponseDone::STATUS_CANCELLED);
  const auto answer = call.ReadAnswer();
  EXPECT_EQ(answer.text, "i heard you");
  EXPECT_EQ(answer.done.usage().heard_frames(), 75u);
}

TEST_F(BackPressureTest, AClientThatIsHeldBackIsNotIdle) {
  StartServer({.idle_timeout = milliseconds(800), .longest_turn = kNoLongestTurn},
              {.frames_of_turn = kNeverByItself, .hearing = milliseconds(60), .max_pending_frames = 2});
  TestCall call(channel_);
  const std::string two_seconds = second_ + second_;  // 25 frames: 1.5 s of hearing
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(call.SendAudio(two_seconds));
  ASSERT_TRUE(call.Commit());
  EXPECT_EQ(call.ReadAnswer().done.usage().heard_frames(), 50u);
}

TEST_F(BackPressureTest, AClientGoneWhileItIsHeldBackFreesTheSequenceAtOnce) {
  StartServer({.longest_turn = kNoLongestTurn}, Slow());
  TestCall call(channel_);
  const std::future<void> flood = Flood(&call);
  const auto gone = std::chrono::steady_clock::now();
  call.Vanish();
  EXPECT_TRUE(engine_->WaitForSequences(0));
  EXPECT_LT(std::chrono::steady_clock::now() - gone, std::chrono::seconds(2));
}

TEST_F(BackPressureTest, DrainingEndsASessionWhoseClientIsHeldBack) {
  StartServer({.longest_turn = kNoLongestTurn}, Slow());
  TestCall call(channel_);
  std::future<void> flood = Flood(&call);
  const std::future<void> stopped = std::async(std::launch::async, [this] { server_->Stop(); });
  EXPECT_EQ(End(&call, &flood).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(BackPressureTest, ASessionOverItsLengthEndsWhileItsClientIsHeldBack) {
  StartServer({.max_session = milliseconds(3000), .longest_turn = kNoLongestTurn}, Slow());
  TestCall call(channel_);
  std::future<void> flood = Flood(&call);
  EXPECT_EQ(End(&call, &flood).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

}  // namespace
}  // namespace antiphon
