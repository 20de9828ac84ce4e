// The conversation against a real server that refuses, misbehaves, or goes away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "antiphon/client.h"
#include "tests/client/client_fixture.h"

namespace antiphon::client {
namespace {

using namespace std::chrono_literals;
using testing::Call;
using ::testing::HasSubstr;
using testing::ScriptedServer;

TEST(ConversationTest, RefusesOptionsThatCannotBe) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto client = ConnectTo(server);
  const auto opus = client->Open({.input_audio = {AudioEncoding::kOpus, 16000}});
  EXPECT_EQ(opus.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(opus.status().message(), HasSubstr("input_audio.sample_rate is 16000"));
  const auto pcm = client->Open({.output_audio = {AudioEncoding::kPcm16, 44100}});
  EXPECT_EQ(pcm.status().code(), StatusCode::kInvalidArgument);
  const auto g711 = client->Open({.input_audio = {AudioEncoding::kG711Alaw, 16000}});
  EXPECT_EQ(g711.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(g711.status().message(), HasSubstr("8000 for G.711"));
  for (const AudioFormat& format :
       {AudioFormat{AudioEncoding::kOpus, 24000, 31}, AudioFormat{AudioEncoding::kOpus, 24000, -1},
        AudioFormat{AudioEncoding::kPcm16, 24000, 1}}) {
    const auto loss = client->Open({.output_audio = format});
    EXPECT_EQ(loss.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(loss.status().message(), HasSubstr("output_audio.expected_loss_percent"));
  }
  const auto conversation = client->Open({});
  ASSERT_TRUE(conversation.ok());
  EXPECT_EQ((*conversation)->AppendOpusPacket("x", 0).code(), StatusCode::kFailedPrecondition)
      << "the input is PCM16";
  EXPECT_EQ((*conversation)->AppendText("").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ((*conversation)->AppendText(std::string(4001, 'a')).code(), StatusCode::kInvalidArgument);
}

TEST(ConversationTest, AFullServerRefusesWithAHint) {
  const ScriptedServer server([](Call& call) {
    call.context().AddTrailingMetadata("retry-after-ms", "750");
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "16 sessions are open");
  });
  std::chrono::milliseconds retry_after{0};
  const auto conversation = ConnectTo(server)->Open({}, &retry_after);
  EXPECT_EQ(conversation.status(), ResourceExhausted("16 sessions are open"));
  EXPECT_EQ(retry_after, 750ms);
}

TEST(ConversationTest, WaitsForAPlaceAsLongAsItIsTold) {
  // What each call asks for, in their order.
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> asked;
  const ScriptedServer server([&](Call& call) {
    const auto& metadata = call.context().client_metadata();
    const auto wait = metadata.find("antiphon-wait-ms");
    {
      const std::lock_guard lock(mutex);
      asked.push_back(wait == metadata.end() ? "no" : std::string(wait->second.data(), wait->second.size()));
    }
    changed.notify_all();
    std::this_thread::sleep_for(300ms);
    call.CreateSession();
    return grpc::Status::OK;
  });
  const auto open = [&](const ConversationOptions& options) {
    const Status status = ConnectTo(server)->Open(options).status();
    std::unique_lock lock(mutex);
    changed.wait_for(lock, 20s, [&] { return !asked.empty(); });
    return std::pair{status.code(), asked.empty() ? "nothing" : std::exchange(asked, {}).back()};
  };
  EXPECT_EQ(open({.open_timeout = 100ms}), std::pair(StatusCode::kDeadlineExceeded, std::string("no")));
  EXPECT_EQ(open({.wait_for_place = 20'000ms, .open_timeout = 100ms}),
            std::pair(StatusCode::kOk, std::string("20000")))
      << "the wait counts besides";
  EXPECT_EQ(open({.wait_for_place = 600'000ms, .resume = ResumeOptions{}}),
            std::pair(StatusCode::kOk, std::string("600000")));
  for (const auto wait : {-1ms, 600'001ms}) {
    EXPECT_EQ(ConnectTo(server)->Open({.wait_for_place = wait}).status().code(),
              StatusCode::kInvalidArgument);
  }
}

TEST(ConversationTest, AnErrorBeforeTheSessionIsARefusal) {
  const ScriptedServer server([](Call& call) {
    v1::ServerEvent event;
    event.mutable_error()->set_code(3);
    event.mutable_error()->set_message("seed is odd");
    call.Write(event);
    v1::ClientEvent read;
    while (call.Read(&read)) {
    }
    return grpc::Status::OK;
  });
  EXPECT_EQ(ConnectTo(server)->Open({}).status(), InvalidArgument("seed is odd"));
}

TEST(ConversationTest, RefusedSettingsFailTheOpening) {
  const ScriptedServer server([](Call& call) {
    v1::ClientEvent read;
    call.Read(&read);
    v1::ServerEvent event;
    event.mutable_session_created()->set_session_id("s");
    call.Write(event);
    event.mutable_error()->set_code(3);
    event.mutable_error()->set_message("max_response_seconds is 99, must be 1 to 60");
    call.Write(event);
    while (call.Read(&read)) {
    }
    return grpc::Status::OK;
  });
  ConversationOptions options;
  options.settings.max_response_seconds = 99;
  EXPECT_EQ(ConnectTo(server)->Open(options).status(),
            InvalidArgument("max_response_seconds is 99, must be 1 to 60"));
  EXPECT_TRUE(server.WaitForCalls(1));
}

TEST(ConversationTest, NobodyThere) {
  std::string target;
  {
    const ScriptedServer server([](Call&) { return grpc::Status::OK; });
    target = server.target();
  }
  const auto client = Client::Connect(target, {.connect_timeout = 300ms});
  EXPECT_EQ(client.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(client.status().message(), HasSubstr(target));
}

TEST(ConversationTest, AServerThatNeverAccepts) {
  const ScriptedServer server([](Call& call) {
    v1::ClientEvent event;
    while (call.Read(&event)) {
    }
    return grpc::Status::OK;
  });
  const auto conversation = ConnectTo(server)->Open({.open_timeout = 100ms});
  EXPECT_EQ(conversation.status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(server.WaitForCalls(1)) << "the call must not be left behind";
}

TEST(ConversationTest, AServerThatHangsUpWithoutAccepting) {
  const ScriptedServer server([](Call&) { return grpc::Status::OK; });
  EXPECT_EQ(ConnectTo(server)->Open({}).status().code(), StatusCode::kUnavailable);
}

TEST(ConversationTest, TheServersStatusComesWithClosed) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "sessions last 600 s");
  });
  const auto conversation = OpenOn(server);
  EXPECT_EQ(Next<Closed>(*conversation).status, DeadlineExceeded("sessions last 600 s"));
}

TEST(ConversationTest, AServerThatDiesMidAnswer) {
  std::promise<void> answering;
  ScriptedServer server(AfterCreation([&](Call& call) {
    call.EndTurn("x");
    call.StartResponse();
    call.SendText("half an ans");
    answering.set_value();
  }));
  const auto conversation = OpenOn(server);
  answering.get_future().wait();
  server.Kill();
  (void)Next<TurnEnded>(*conversation);
  (void)Next<ResponseStarted>(*conversation);
  (void)Next<TextDelta>(*conversation);
  const Status status = Next<Closed>(*conversation).status;
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(conversation->AppendText("still there?").ok());
}

TEST(ConversationTest, CloseFromAnotherThreadWakesTheReader) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto conversation = OpenOn(server);
  std::thread closer([&] {
    std::this_thread::sleep_for(50ms);
    conversation->Close();
    conversation->Close();
  });
  EXPECT_TRUE(Next<Closed>(*conversation).status.ok());
  closer.join();
  EXPECT_TRUE(server.WaitForCalls(1));
}

// Every way of sending what cannot be understood ends the conversation with DATA_LOSS.
class MalformedEventTest
    : public ::testing::TestWithParam<std::pair<const char*, std::function<void(Call&)>>> {};

TEST_P(MalformedEventTest, EndsTheConversation) {
  const ScriptedServer server(AfterCreation(GetParam().second));
  const auto conversation = OpenOn(server);
  const Status status = Next<Closed>(*conversation).status;
  EXPECT_EQ(status.code(), StatusCode::kDataLoss) << status.ToString();
  EXPECT_THAT(status.message(), HasSubstr(GetParam().first));
  EXPECT_TRUE(server.WaitForCalls(1)) << "the call must end";
}

v1::ServerEvent OddAudio() {
  v1::ServerEvent event;
  event.mutable_audio_delta()->set_audio("abc");
  return event;
}
v1::ServerEvent NoCause() {
  v1::ServerEvent event;
  event.mutable_turn_ended();
  return event;
}
v1::ServerEvent NoStatus() {
  v1::ServerEvent event;
  event.mutable_response_done()->set_status(static_cast<v1::ResponseDone::Status>(99));
  return event;
}
v1::ServerEvent NoError() {
  v1::ServerEvent event;
  event.mutable_error();
  return event;
}
v1::ServerEvent SecondSession() {
  v1::ServerEvent event;
  event.mutable_session_created();
  return event;
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, MalformedEventTest,
    ::testing::Values(std::pair("odd number of bytes", [](Call& call) { call.Write(OddAudio()); }),
                      std::pair("turn_ended.cause", [](Call& call) { call.Write(NoCause()); }),
                      std::pair("response_done.status is 99", [](Call& call) { call.Write(NoStatus()); }),
                      std::pair("error.code", [](Call& call) { call.Write(NoError()); }),
                      std::pair("session twice", [](Call& call) { call.Write(SecondSession()); }),
                      std::pair("event 7 came as number 3", [](Call& call) { call.WriteNumbered({}, 7); })));

TEST(ConversationTest, AnEventBeforeTheSessionIsMalformed) {
  const ScriptedServer server([](Call& call) {
    call.EndTurn("too early");
    call.CreateSession();
    return grpc::Status::OK;
  });
  EXPECT_EQ(ConnectTo(server)->Open({}).status().code(), StatusCode::kDataLoss);
}

TEST(ConversationTest, ACountOfItsEventsThatCannotBeIsMalformed) {
  const ScriptedServer server([](Call& call) {
    v1::ClientEvent read;
    call.Read(&read);
    v1::ServerEvent created;
    created.mutable_session_created()->set_resume_token(std::string(32, '0'));
    created.mutable_session_created()->set_resume_grace_ms(30'000);
    call.Write(created);
    v1::ServerEvent updated;
    updated.mutable_session_updated();
    call.Write(updated);
    v1::ServerEvent count;
    count.mutable_input_acknowledged()->set_client_events(99);
    call.Write(count);
    while (call.Read(&read)) {
    }
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server, {.resume = ResumeOptions{}});
  const Status status = Next<Closed>(*conversation).status;
  EXPECT_EQ(status.code(), StatusCode::kDataLoss) << status.ToString();
  EXPECT_THAT(status.message(), HasSubstr("99 events"));
}

TEST(ConversationTest, ASlowReaderLosesNothing) {
  constexpr int kEvents = 20'000;  // several times what the client holds
  const ScriptedServer server(AfterCreation([](Call& call) {
    v1::ServerEvent event;
    for (int i = 0; i < kEvents; ++i) {
      event.mutable_transcript_delta()->set_text(std::to_string(i));
      call.Write(event);
    }
  }));
  const auto conversation = OpenOn(server);
  std::this_thread::sleep_for(200ms);
  for (int i = 0; i < kEvents; ++i) ASSERT_EQ(Next<TranscriptDelta>(*conversation).text, std::to_string(i));
}

TEST(ConversationTest, ADestroyedConversationWithAFullQueueEnds) {
  const ScriptedServer server([](Call& call) {
    call.CreateSession();
    v1::ServerEvent event;
    event.mutable_transcript_delta()->set_text("on and on");
    while (call.Write(event)) {
    }
    return grpc::Status::OK;
  });
  {
    const auto conversation = OpenOn(server);
    std::this_thread::sleep_for(200ms);
  }
  EXPECT_TRUE(server.WaitForCalls(1));
}

TEST(ConversationTest, AServerThatDoesNotReadFillsTheQueueAndNoMore) {
  std::promise<void> go;
  const ScriptedServer server([future = go.get_future().share()](Call& call) {
    call.CreateSession();
    future.wait();
    v1::ClientEvent event;
    while (call.Read(&event)) {
    }
    return grpc::Status::OK;
  });
  const auto conversation = OpenOn(server, {.max_queued_bytes = 100'000});
  const std::vector<float> second(24000);
  Status status;
  int sent = 0;
  for (; status.ok() && sent < 1000; ++sent) status = conversation->AppendAudio(second);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_LT(sent, 1000);
  go.set_value();
  for (int i = 0; i < 100 && !conversation->AppendAudio(second).ok(); ++i) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(conversation->AppendText("room again").ok());
}

// A server that reads nothing until it is told to.
struct DeafServer {
  std::promise<void> go;
  ScriptedServer server{[future = go.get_future().share()](Call& call) {
    call.CreateSession();
    future.wait();
    v1::ClientEvent event;
    while (call.Read(&event)) {
    }
    return grpc::Status::OK;
  }};
};

constexpr int kEnoughCalls = 1'000'000;

// How often `send` succeeds before it is refused.
int CountUntilRefused(const std::function<Status()>& send) {
  int sent = 0;
  Status status;
  while ((status = send()).ok() && sent < kEnoughCalls) ++sent;
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  return sent;
}

// Until nothing flows any more: not into the server, and not into what lies between.
void FillWithAudio(Conversation& conversation) {
  const std::vector<float> second(24000);
  do {
    CountUntilRefused([&] { return conversation.AppendAudio(second); });
    std::this_thread::sleep_for(200ms);
  } while (conversation.AppendAudio(second).ok());
}

TEST(ConversationTest, PlaybackReportsDoNotPileUp) {
  DeafServer deaf;
  const auto conversation = OpenOn(deaf.server, {.max_queued_bytes = 100'000});
  EXPECT_LT(CountUntilRefused([&] { return conversation->ReportPlayback("response-1", 1); }), kEnoughCalls);
  EXPECT_TRUE(conversation->Cancel().ok()) << "which must get through all the same";
  deaf.go.set_value();
}

TEST(ConversationTest, AFullQueueCanBeCommittedAndCancelledButNotWithoutEnd) {
  DeafServer deaf;
  const auto conversation = OpenOn(deaf.server, {.max_queued_bytes = 100'000});
  FillWithAudio(*conversation);
  EXPECT_TRUE(conversation->Commit().ok());
  EXPECT_TRUE(conversation->Clear().ok());
  EXPECT_TRUE(conversation->Update({.speak = false}).ok());
  EXPECT_LT(CountUntilRefused([&] { return conversation->Cancel(); }), 1000) << "64 KiB of them";
  EXPECT_EQ(conversation->Commit().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(conversation->Clear().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(conversation->Update({}).code(), StatusCode::kResourceExhausted);
  deaf.go.set_value();
  Status status;
  for (int i = 0; i < 250 && !(status = conversation->Commit()).ok(); ++i) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(status.ok()) << status.ToString();
}

}  // namespace
}  // namespace antiphon::client
