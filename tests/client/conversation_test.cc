// The conversation against a real server that behaves, misbehaves, or goes away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <future>
#include <thread>

#include "antiphon/client.h"
#include "media/opus.h"
#include "tests/client/scripted_server.h"

namespace antiphon::client {
namespace {

using namespace std::chrono_literals;
using testing::Call;
using ::testing::HasSubstr;
using testing::ScriptedServer;

std::unique_ptr<Client> ConnectTo(const ScriptedServer& server) {
  auto client = Client::Connect(server.target(), {});
  EXPECT_TRUE(client.ok()) << client.status().ToString();
  return std::move(*client);
}

std::unique_ptr<Conversation> OpenOn(const ScriptedServer& server, const ConversationOptions& options = {}) {
  auto conversation = ConnectTo(server)->Open(options);
  EXPECT_TRUE(conversation.ok()) << conversation.status().ToString();
  return std::move(*conversation);
}

// The next event if it is a T.
template <typename T>
T Next(Conversation& conversation) {
  Result<Event> event = conversation.NextEvent(5s);
  if (!event.ok()) {
    ADD_FAILURE() << event.status().ToString();
    return {};
  }
  if (!std::holds_alternative<T>(event->body)) {
    ADD_FAILURE() << "event of kind " << event->body.index();
    return {};
  }
  return std::get<T>(event->body);
}

// A script that creates the session, does `then`, and waits for the client to half-close.
testing::Script AfterCreation(std::function<void(Call&)> then) {
  return [then = std::move(then)](Call& call) {
    call.CreateSession();
    then(call);
    v1::ClientEvent event;
    while (call.Read(&event)) {
    }
    return grpc::Status::OK;
  };
}

TEST(ConversationTest, TellsTheSessionItsSettings) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  ConversationOptions options;
  options.input_audio = {AudioEncoding::kOpus, 48000};
  options.output_audio = {AudioEncoding::kPcm16, 16000};
  options.settings.speak = false;
  options.settings.turn_detection = TurnDetection{.semantic = true, .threshold = 0.5f, .max_silence_ms = 700};
  options.settings.sampling = SamplingOptions{.temperature = 0.5f, .top_k = 3, .seed = 17};
  options.settings.max_response_seconds = 12;
  {
    const auto conversation = OpenOn(server, options);
    EXPECT_EQ(conversation->session().id, "session-1");
    EXPECT_EQ(conversation->session().model, "scripted");
    EXPECT_EQ(conversation->session().max_seconds, 600);
    // The script sends back what it was told: the way to the wire and the way from it.
    const SessionSettings& settings = conversation->session().settings;
    EXPECT_FALSE(*settings.speak);
    EXPECT_EQ(settings.turn_detection->max_silence_ms, 700);
    EXPECT_FLOAT_EQ(settings.turn_detection->threshold, 0.5f);
    EXPECT_EQ(settings.sampling->seed, 17u);
    EXPECT_EQ(settings.sampling->top_k, 3);
    EXPECT_EQ(*settings.max_response_seconds, 12);
  }
  ASSERT_TRUE(server.WaitForCalls(1));
  const v1::SessionConfig config = server.received().at(0).event.session_update().config();
  EXPECT_EQ(config.input_audio().encoding(), v1::AUDIO_ENCODING_OPUS);
  EXPECT_EQ(config.input_audio().sample_rate(), 48000u);
  EXPECT_EQ(config.output_audio().encoding(), v1::AUDIO_ENCODING_PCM16);
  EXPECT_EQ(config.output_audio().sample_rate(), 16000u);
  EXPECT_EQ(config.output_modalities_size(), 1);
}

TEST(ConversationTest, ReportsEveryKindOfEvent) {
  const ScriptedServer server(AfterCreation([](Call& call) {
    v1::ServerEvent event;
    event.mutable_session_updated()->mutable_config()->set_max_response_seconds(9);
    call.Write(event);
    event.mutable_speech_started()->set_audio_offset_samples(100);
    call.Write(event);
    event.mutable_transcript_delta()->set_text("what is");
    call.Write(event);
    event.mutable_speech_stopped()->set_audio_offset_samples(900);
    call.Write(event);
    call.EndTurn("what is it", v1::TurnEnded::CAUSE_SILENCE);
    call.StartResponse();
    call.SendText("this");
    call.SendPcm({16384, -32768});
    call.SendDone(v1::ResponseDone::STATUS_INCOMPLETE);
    event.mutable_error()->set_code(9);
    event.mutable_error()->set_field("commit");
    event.mutable_error()->set_message("the turn is empty");
    call.Write(event);
  }));
  const auto conversation = OpenOn(server);
  EXPECT_EQ(*Next<SessionUpdated>(*conversation).settings.max_response_seconds, 9);
  EXPECT_EQ(Next<SpeechStarted>(*conversation).audio_offset_samples, 100u);
  EXPECT_EQ(Next<TranscriptDelta>(*conversation).text, "what is");
  EXPECT_EQ(Next<SpeechStopped>(*conversation).audio_offset_samples, 900u);
  const auto turn = Next<TurnEnded>(*conversation);
  EXPECT_EQ(turn.cause, TurnEndCause::kSilence);
  EXPECT_EQ(turn.transcript, "what is it");
  EXPECT_EQ(Next<ResponseStarted>(*conversation).response_id, "response-1");
  EXPECT_EQ(Next<TextDelta>(*conversation).text, "this");
  const auto audio = Next<AudioDelta>(*conversation);
  EXPECT_EQ(audio.samples, (std::vector<float>{0.5f, -1.0f}));
  const auto done = Next<ResponseDone>(*conversation);
  EXPECT_EQ(done.end, ResponseEnd::kIncomplete);
  EXPECT_EQ(done.text, "this");
  EXPECT_EQ(done.ledger.endpoint_decided_us, 1'100'000u);
  const auto error = Next<ServerError>(*conversation);
  EXPECT_EQ(error.status, FailedPrecondition("the turn is empty"));
  EXPECT_EQ(error.field, "commit");
  EXPECT_EQ(conversation->NextEvent(1ms).status().code(), StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(conversation->FinishInput().ok());
  EXPECT_TRUE(Next<Closed>(*conversation).status.ok());
  EXPECT_EQ(conversation->NextEvent(1ms).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(conversation->Commit().code(), StatusCode::kFailedPrecondition);
}

TEST(ConversationTest, SendsEveryKindOfMessageInOrder) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto conversation = OpenOn(server);
  const std::vector<int16_t> samples = {0, 1, -1, 32767, -32768, 12345};
  ASSERT_TRUE(conversation->AppendAudio(samples).ok());
  ASSERT_TRUE(conversation->AppendText("hello").ok());
  ASSERT_TRUE(conversation->Commit().ok());
  ASSERT_TRUE(conversation->Cancel().ok());
  ASSERT_TRUE(conversation->Clear().ok());
  ASSERT_TRUE(conversation->ReportPlayback("response-1", 77).ok());
  ASSERT_TRUE(conversation->Update({.speak = true}).ok());
  ASSERT_TRUE(conversation->FinishInput().ok());
  ASSERT_TRUE(server.WaitForCalls(1));
  const auto log = server.received();
  ASSERT_EQ(log.size(), 8u);
  EXPECT_EQ(log[1].event.audio_append().audio(),
            std::string(reinterpret_cast<const char*>(samples.data()), samples.size() * 2));
  EXPECT_EQ(log[2].event.text_append().text(), "hello");
  EXPECT_TRUE(log[3].event.has_commit());
  EXPECT_TRUE(log[4].event.has_cancel());
  EXPECT_TRUE(log[5].event.has_clear());
  EXPECT_EQ(log[6].event.playback_position().played_samples(), 77u);
  EXPECT_EQ(log[7].event.session_update().config().output_modalities_size(), 2);
  EXPECT_FALSE(log[7].event.session_update().config().has_input_audio());
}

TEST(ConversationTest, OpusGoesInWholePacketsAndCommitSendsTheRest) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto conversation = OpenOn(server, {.input_audio = {AudioEncoding::kOpus, 24000}});
  std::vector<float> tone(24000 / 2 + 7);
  for (size_t i = 0; i < tone.size(); ++i)
    tone[i] = 0.3f * static_cast<float>(std::sin(0.1 * static_cast<double>(i)));
  for (size_t start = 0; start < tone.size(); start += 100) {
    const auto piece =
        std::span<const float>(tone).subspan(start, std::min<size_t>(100, tone.size() - start));
    ASSERT_TRUE(conversation->AppendAudio(piece).ok());
  }
  ASSERT_TRUE(conversation->Commit().ok());
  ASSERT_TRUE(conversation->FinishInput().ok());
  ASSERT_TRUE(server.WaitForCalls(1));
  const auto log = server.received();
  ASSERT_EQ(log.size(), 1u + 26u + 1u);  // 25 packets, one with the rest of 7 samples, the commit
  auto decoder = OpusPacketDecoder::Create(24000);
  ASSERT_TRUE(decoder.ok());
  double energy = 0;
  size_t samples = 0;
  for (size_t i = 1; i <= 26; ++i) {
    const auto decoded = decoder->Decode(log[i].event.audio_append().audio());
    ASSERT_TRUE(decoded.ok());
    samples += decoded->size();
    for (const float x : *decoded) energy += static_cast<double>(x) * x;
  }
  EXPECT_EQ(samples, 26u * 480u);
  EXPECT_NEAR(std::sqrt(energy / static_cast<double>(tone.size())), 0.3 / std::sqrt(2.0), 0.03);
}

TEST(ConversationTest, DecodesOpus) {
  const ScriptedServer server(AfterCreation([](Call& call) {
    auto encoder = OpusPacketEncoder::Create({.sample_rate = 48000});
    v1::ServerEvent event;
    v1::AudioDelta& delta = *event.mutable_audio_delta();
    delta.set_response_id("r");
    delta.set_audio(*encoder->Encode(std::vector<float>(960, 0.25f)));
    call.Write(event);
    delta.set_audio("not opus at all, by no means: the table of contents promises more than there is");
    call.Write(event);
  }));
  const auto conversation = OpenOn(server, {.output_audio = {AudioEncoding::kOpus, 48000}});
  EXPECT_EQ(Next<AudioDelta>(*conversation).samples.size(), 960u);
  const Status status = Next<Closed>(*conversation).status;
  EXPECT_EQ(status.code(), StatusCode::kDataLoss) << status.ToString();
}

TEST(ConversationTest, ListenerGetsEverythingAndMaySend) {
  const ScriptedServer server(testing::AnsweringScript(24000));
  std::promise<Status> closed;
  std::atomic<int> deltas = 0;
  std::atomic<Conversation*> self = nullptr;
  ConversationOptions options;
  options.listener = [&](const Event& event) {
    if (std::holds_alternative<AudioDelta>(event.body)) ++deltas;
    if (std::holds_alternative<ResponseDone>(event.body)) (void)self.load()->FinishInput();
    if (const auto* end = std::get_if<Closed>(&event.body)) closed.set_value(end->status);
  };
  const auto conversation = OpenOn(server, options);
  self = conversation.get();
  EXPECT_EQ(conversation->NextEvent(1ms).status().code(), StatusCode::kFailedPrecondition);
  ASSERT_TRUE(conversation->AppendText("hello").ok());
  ASSERT_TRUE(conversation->Commit().ok());
  auto future = closed.get_future();
  ASSERT_EQ(future.wait_for(5s), std::future_status::ready);
  EXPECT_TRUE(future.get().ok());
  EXPECT_EQ(deltas, 5);
}

TEST(ConversationTest, RefusesOptionsThatCannotBe) {
  const ScriptedServer server(AfterCreation([](Call&) {}));
  const auto client = ConnectTo(server);
  const auto opus = client->Open({.input_audio = {AudioEncoding::kOpus, 16000}});
  EXPECT_EQ(opus.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(opus.status().message(), HasSubstr("input_audio.sample_rate is 16000"));
  const auto pcm = client->Open({.output_audio = {AudioEncoding::kPcm16, 44100}});
  EXPECT_EQ(pcm.status().code(), StatusCode::kInvalidArgument);
  const auto conversation = client->Open({});
  ASSERT_TRUE(conversation.ok());
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

TEST(ConversationTest, UnknownEventsAreSkipped) {
  const ScriptedServer server(AfterCreation([](Call& call) {
    call.Write({});  // what a later server's event looks like to this client
    call.EndTurn("after");
  }));
  EXPECT_EQ(Next<TurnEnded>(*OpenOn(server)).transcript, "after");
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

TEST(ClientTest, ListsModels) {
  const ScriptedServer server([](Call&) { return grpc::Status::OK; });
  const auto models = ConnectTo(server)->ListModels();
  ASSERT_TRUE(models.ok());
  ASSERT_EQ(models->size(), 1u);
  EXPECT_EQ(models->at(0).name, "scripted");
  EXPECT_EQ(models->at(0).parameters, 12'345'678u);
  EXPECT_TRUE(models->at(0).hears);
  EXPECT_FALSE(models->at(0).speaks);
  EXPECT_EQ(models->at(0).frame_ms, 80);
}

}  // namespace
}  // namespace antiphon::client
