// ReplayService over a real socket: what is told, what is refused, and that nothing is left behind.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "antiphon/v1/replay.grpc.pb.h"
#include "common/logging.h"
#include "server/server.h"
#include "tests/server/fake_engine.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// Replays "equal", "differs", "broken" and "full" at once, and "endless" until it is stopped. Everything else
// is no recording.
class ReplayingEngine final : public Engine {
 public:
  Result<std::unique_ptr<Sequence>> Open(const SequenceOptions& options, SequenceListener listener) override {
    return inner_.Open(options, std::move(listener));
  }
  Result<Image> PaintImage(std::span<const int> codes) const override { return inner_.PaintImage(codes); }
  const ModelDescription& model() const override { return inner_.model(); }
  EngineStatistics statistics() const override { return inner_.statistics(); }

  Result<std::unique_ptr<SessionReplay>> Replay(std::string bytes) override {
    if (bytes == "full") return ResourceExhausted("all sequences are in use");
    std::optional<ReplayOutcome> outcome = ReplayOutcome{};
    outcome->counts = {.positions = 40, .symbols = 30, .heard_frames = 20, .spoken_frames = 10};
    outcome->end = RecordingEnd::kBrokenOff;
    outcome->recorded_with = "there";
    outcome->replayed_with = "here";
    if (bytes == "differs") {
      outcome->difference = ReplayDifference{.position = 7,
                                             .channel = ReplayDifference::Channel::kSpoken,
                                             .codebook = 3,
                                             .expected = 11,
                                             .got = -1};
    } else if (bytes == "broken") {
      outcome->status = DataLoss("the recording does not fit together");
    } else if (bytes == "endless") {
      outcome.reset();
    } else if (bytes != "equal") {
      return InvalidArgument("the bytes are no recording of a session");
    }
    return std::unique_ptr<SessionReplay>(std::make_unique<Replaying>(this, std::move(outcome)));
  }

  bool WaitForReplays(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return replays_ == count; });
  }

 private:
  class Replaying final : public SessionReplay {
   public:
    Replaying(ReplayingEngine* engine, std::optional<ReplayOutcome> outcome)
        : engine_(engine), outcome_(std::move(outcome)) {
      engine_->Count(1);
    }
    ~Replaying() override { engine_->Count(-1); }
    std::optional<ReplayOutcome> Wait(TimePoint until) const override {
      std::unique_lock lock(mutex_);
      ended_.wait_until(lock, until, [this] { return outcome_.has_value(); });
      return outcome_;
    }
    void Stop() override {
      {
        const std::lock_guard lock(mutex_);
        if (!outcome_) outcome_ = ReplayOutcome{.status = Cancelled("the replay was stopped")};
      }
      ended_.notify_all();
    }

   private:
    ReplayingEngine* const engine_;
    mutable std::mutex mutex_;
    mutable std::condition_variable ended_;
    std::optional<ReplayOutcome> outcome_;  // guarded by mutex_
  };

  void Count(int change) {
    const std::lock_guard lock(mutex_);
    replays_ += change;
    changed_.notify_all();
  }

  FakeEngine inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int replays_ = 0;  // guarded by mutex_
};

// One Replay call from a client's side; over after 20 s.
class ReplayCaller {
 public:
  explicit ReplayCaller(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(v1::ReplayService::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    stream_ = stub_->Replay(&context_, &response);
  }
  ~ReplayCaller() {
    if (finished_) return;
    context_.TryCancel();
    Finish();
  }

  bool Send(const std::string& data) {
    v1::ReplayRequest piece;
    piece.set_data(data);
    return stream_->Write(piece);
  }
  void HalfClose() { stream_->WritesDone(); }
  void Vanish() { context_.TryCancel(); }
  grpc::Status Finish() {
    finished_ = true;
    return stream_->Finish();
  }
  grpc::Status Run(const std::string& data) {
    Send(data);
    HalfClose();
    return Finish();
  }
  std::string RetryAfter() const {
    const auto& trailers = context_.GetServerTrailingMetadata();
    const auto found = trailers.find("retry-after-ms");
    return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
  }

  v1::ReplayResponse response;

 private:
  std::unique_ptr<v1::ReplayService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientWriter<v1::ReplayRequest>> stream_;
  bool finished_ = false;
};

class ReplayServiceTest : public testing::Test {
 protected:
  void StartServer(ServerOptions options) {
    SetLogLevel(LogLevel::kError);
    options.listen = "127.0.0.1:0";
    auto server = Server::Start(engine_, options);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(*server);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  }

  ReplayingEngine engine_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(ReplayServiceTest, IsNotThereUnlessItIsAllowed) {
  StartServer({});
  EXPECT_EQ(ReplayCaller(channel_).Run("equal").error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ReplayServiceTest, TellsWhatCameOfIt) {
  StartServer({.allow_replay = true});
  ReplayCaller equal(channel_);
  equal.Send("eq");
  equal.Send("");
  equal.Send("ual");
  equal.HalfClose();
  ASSERT_TRUE(equal.Finish().ok());
  EXPECT_FALSE(equal.response.has_difference());
  EXPECT_EQ(equal.response.positions(), 40u);
  EXPECT_EQ(equal.response.symbols(), 30u);
  EXPECT_EQ(equal.response.heard_frames(), 20u);
  EXPECT_EQ(equal.response.spoken_frames(), 10u);
  EXPECT_EQ(equal.response.recording_end(), v1::RECORDING_END_BROKEN_OFF);
  EXPECT_EQ(equal.response.recorded_with(), "there");
  EXPECT_EQ(equal.response.replayed_with(), "here");

  ReplayCaller differs(channel_);
  ASSERT_TRUE(differs.Run("differs").ok());
  const v1::ReplayDifference& difference = differs.response.difference();
  EXPECT_EQ(difference.position(), 7u);
  EXPECT_EQ(difference.channel(), v1::REPLAY_CHANNEL_SPOKEN);
  EXPECT_EQ(difference.codebook(), 3u);
  EXPECT_EQ(difference.expected(), 11);
  EXPECT_EQ(difference.got(), -1);
  EXPECT_TRUE(engine_.WaitForReplays(0));
}

TEST_F(ReplayServiceTest, RefusesWithTheReason) {
  StartServer({.retry_after = milliseconds(70), .allow_replay = true, .max_replay_bytes = 100});
  ReplayCaller garbage(channel_);
  const grpc::Status none = garbage.Run("garbage");
  EXPECT_EQ(none.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(none.error_message(), HasSubstr("no recording"));
  EXPECT_EQ(ReplayCaller(channel_).Run("").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReplayCaller(channel_).Run("broken").error_code(), grpc::StatusCode::DATA_LOSS);
  ReplayCaller full(channel_);
  EXPECT_EQ(full.Run("full").error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(full.RetryAfter(), "70");
  ReplayCaller large(channel_);
  large.Send(std::string(60, 'x'));
  const grpc::Status too_large = large.Run(std::string(60, 'x'));
  EXPECT_EQ(too_large.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_THAT(too_large.error_message(), HasSubstr("100 bytes"));
  EXPECT_TRUE(ReplayCaller(channel_).Run("equal").ok()) << "the server goes on";
}

TEST_F(ReplayServiceTest, AClientThatVanishesFreesTheReplay) {
  StartServer({.allow_replay = true});
  ReplayCaller caller(channel_);
  caller.Send("endless");
  caller.HalfClose();
  ASSERT_TRUE(engine_.WaitForReplays(1));
  caller.Vanish();
  EXPECT_TRUE(engine_.WaitForReplays(0));
  ReplayCaller sending(channel_);  // one that has not sent it all
  sending.Send("endl");
  sending.Vanish();
  EXPECT_FALSE(sending.Finish().ok());
  EXPECT_TRUE(ReplayCaller(channel_).Run("equal").ok());
}

TEST_F(ReplayServiceTest, NoMoreThanMaxSessionsAtOnce) {
  StartServer({.max_sessions = 2, .retry_after = milliseconds(70), .allow_replay = true});
  ReplayCaller first(channel_);
  ReplayCaller second(channel_);
  for (ReplayCaller* caller : {&first, &second}) {
    caller->Send("endless");
    caller->HalfClose();
  }
  ASSERT_TRUE(engine_.WaitForReplays(2));
  ReplayCaller third(channel_);
  EXPECT_EQ(third.Run("equal").error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(third.RetryAfter(), "70");
}

TEST_F(ReplayServiceTest, APlaceIsFreeBeforeTheClientKnowsTheOutcome) {
  StartServer({.max_sessions = 1, .allow_replay = true});
  for (int i = 0; i < 50; ++i) {
    const grpc::Status status = ReplayCaller(channel_).Run("equal");
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
}

TEST_F(ReplayServiceTest, NothingTakesLongerThanASession) {
  StartServer({.max_session = milliseconds(100), .allow_replay = true});
  ReplayCaller silent(channel_);
  silent.Send("equ");
  EXPECT_EQ(silent.Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  ReplayCaller endless(channel_);
  const grpc::Status late = endless.Run("endless");
  EXPECT_EQ(late.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(late.error_message(), HasSubstr("100 ms"));
  EXPECT_TRUE(engine_.WaitForReplays(0));
}

TEST_F(ReplayServiceTest, AServerThatStopsEndsReplays) {
  StartServer({.allow_replay = true});
  ReplayCaller caller(channel_);
  caller.Send("endless");
  caller.HalfClose();
  ASSERT_TRUE(engine_.WaitForReplays(1));
  server_->Stop();
  EXPECT_FALSE(caller.Finish().ok());
  server_.reset();
  EXPECT_TRUE(engine_.WaitForReplays(0));
}

}  // namespace
}  // namespace antiphon
