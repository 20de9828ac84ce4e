// Calls that wait at the door of a full server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "antiphon/v1/generation.grpc.pb.h"
#include "server/session_host.h"
#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;
using std::chrono::milliseconds;
using testing::HasSubstr;

class WaitingTest : public ServerFixture {
 protected:
  static std::string Trailer(const TestCall& call, const std::string& name) {
    const auto& trailers = call.context().GetServerTrailingMetadata();
    const auto found = trailers.find(name);
    return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
  }

  // What a call that does not wait is told of the queue, when as many as that wait in it.
  void AwaitQueue(size_t waiting) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < give_up) {
      TestCall call(channel_);
      EXPECT_EQ(call.End().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
      if (Trailer(call, "antiphon-queue-position") == std::to_string(waiting + 1)) return;
    }
    FAIL() << "there are never " << waiting << " in the queue";
  }

  void Leave(TestCall& call) {
    call.HalfClose();
    EXPECT_TRUE(call.End().ok());
  }
};

TEST_F(WaitingTest, WhoWaitsGetsThePlaceThatIsLeftInTheOrderOfComing) {
  StartServer({.max_sessions = 1});
  TestCall inside(channel_);
  inside.ReadUntil(Event::kSessionCreated);
  TestCall second(channel_, "20000");
  AwaitQueue(1);
  TestCall third(channel_, "20000");
  AwaitQueue(2);
  Leave(inside);
  second.ReadUntil(Event::kSessionCreated);
  ASSERT_TRUE(second.Ask("blue 7"));
  EXPECT_EQ(second.ReadAnswer().text, "you said blue 7");
  AwaitQueue(1);
  Leave(second);
  third.ReadUntil(Event::kSessionCreated);
  Leave(third);
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(WaitingTest, AFullEngineIsWaitedForAsWell) {
  StartServer({}, {.max_sequences = 1});
  TestCall inside(channel_);
  inside.ReadUntil(Event::kSessionCreated);
  TestCall second(channel_, "20000");
  AwaitQueue(1);
  Leave(inside);
  second.ReadUntil(Event::kSessionCreated);
}

TEST_F(WaitingTest, WhenTheWaitIsOverItSaysWhereOneStood) {
  StartServer({.max_sessions = 1, .retry_after = milliseconds(750)});
  {
    TestCall first(channel_);
    first.ReadUntil(Event::kSessionCreated);
    Leave(first);
  }
  ASSERT_TRUE(engine_->WaitForSequences(0));
  TestCall inside(channel_);
  inside.ReadUntil(Event::kSessionCreated);
  TestCall waiting(channel_, "100");
  const grpc::Status status = waiting.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("the place in the queue is 1, the expected wait"));
  EXPECT_EQ(Trailer(waiting, "retry-after-ms"), "750");
  EXPECT_EQ(Trailer(waiting, "antiphon-queue-position"), "1");
  EXPECT_NE(Trailer(waiting, "antiphon-expected-wait-ms"), "") << "a session has ended: its length is known";
  EXPECT_EQ(server_->open_sessions(), 1);
}

TEST_F(WaitingTest, NothingIsExpectedBeforeASessionHasEnded) {
  StartServer({.max_sessions = 1});
  TestCall inside(channel_);
  inside.ReadUntil(Event::kSessionCreated);
  TestCall refused(channel_);
  const grpc::Status status = refused.End();
  EXPECT_THAT(status.error_message(), HasSubstr("the place in the queue is 1"));
  EXPECT_EQ(Trailer(refused, "antiphon-queue-position"), "1");
  EXPECT_EQ(Trailer(refused, "antiphon-expected-wait-ms"), "");
}

TEST_F(WaitingTest, WhoHangsUpLeavesTheQueue) {
  StartServer({.max_sessions = 1});
  TestCall inside(channel_);
  inside.ReadUntil(Event::kSessionCreated);
  auto impatient = std::make_unique<TestCall>(channel_, "600000");
  AwaitQueue(1);
  TestCall patient(channel_, "20000");
  AwaitQueue(2);
  impatient->Vanish();
  impatient.reset();
  AwaitQueue(1);
  Leave(inside);
  patient.ReadUntil(Event::kSessionCreated);
}

TEST_F(WaitingTest, TheQueueIsBounded) {
  StartServer({.max_sessions = 1});
  TestCall inside(channel_);
  inside.ReadUntil(Event::kSessionCreated);
  std::vector<std::unique_ptr<TestCall>> waiting;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (size_t i = 0; i < SessionHost::kMostWaiting; ++i) {
    if (i % 32 == 0) channels.push_back(NewChannel());  // a connection has its own limit of streams
    waiting.push_back(std::make_unique<TestCall>(channels.back(), "600000"));
  }
  AwaitQueue(SessionHost::kMostWaiting);
  TestCall one_more(channel_, "600000");
  EXPECT_EQ(one_more.End().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  for (const auto& call : waiting) call->Vanish();
  AwaitQueue(0);
}

TEST_F(WaitingTest, GenerateWaitsToo) {
  StartServer({.max_sessions = 1});
  auto inside = std::make_unique<TestCall>(channel_);
  inside->ReadUntil(Event::kSessionCreated);
  const auto stub = v1::GenerationService::NewStub(channel_);
  v1::GenerateRequest request;
  request.add_parts()->set_text("blue 7");
  const auto generate = [&](const std::string& wait_ms, std::string* position) {
    grpc::ClientContext context;
    context.AddMetadata("antiphon-wait-ms", wait_ms);
    const auto reader = stub->Generate(&context, request);
    v1::GenerateResponse response;
    std::string text;
    while (reader->Read(&response)) text += response.text_delta().text();
    const grpc::Status status = reader->Finish();
    const auto& trailers = context.GetServerTrailingMetadata();
    const auto found = trailers.find("antiphon-queue-position");
    *position = found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
    return std::pair{status.error_code(), text};
  };
  std::string position;
  EXPECT_EQ(generate("100", &position).first, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(position, "1");
  EXPECT_EQ(generate("soon", &position).first, grpc::StatusCode::INVALID_ARGUMENT);
  std::thread leave([&] {
    AwaitQueue(1);
    Leave(*inside);
  });
  const auto [code, text] = generate("20000", &position);
  leave.join();
  EXPECT_EQ(code, grpc::StatusCode::OK);
  EXPECT_EQ(text, "you said blue 7");
}

TEST_F(WaitingTest, AServerThatStopsTurnsThemAway) {
  StartServer({.max_sessions = 1});
  TestCall inside(channel_);
  inside.ReadUntil(Event::kSessionCreated);
  TestCall waiting(channel_, "600000");
  AwaitQueue(1);
  std::thread stop([this] { server_->Stop(); });
  EXPECT_EQ(waiting.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(inside.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  stop.join();
}

TEST_F(WaitingTest, AWaitThatIsNoneIsRefused) {
  StartServer();
  for (const char* wait : {"soon", "-1", "600001", "5s", "99999999999999999999"}) {
    TestCall call(channel_, wait);
    const grpc::Status status = call.End();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << wait;
    EXPECT_THAT(status.error_message(), HasSubstr("antiphon-wait-ms"));
  }
}

}  // namespace
}  // namespace antiphon
