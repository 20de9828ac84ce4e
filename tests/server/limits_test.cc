// What exceeds a limit is refused with a clear status, and holds nothing afterwards.
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <thread>

#include "tests/server/server_fixture.h"

namespace antiphon {
namespace {

using Event = v1::ServerEvent;
using std::chrono::milliseconds;

class LimitsTest : public ServerFixture {
 protected:
  // A connection whose client end holds little that was not read.
  std::shared_ptr<grpc::Channel> NarrowChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 64 * 1024);
    return NewChannel(arguments);
  }

  // The refusal a new session meets.
  grpc::Status Refusal(std::string* retry_after) {
    TestCall call(channel_);
    const grpc::Status status = call.End();
    const auto& trailers = call.context().GetServerTrailingMetadata();
    const auto found = trailers.find("retry-after-ms");
    if (found != trailers.end()) retry_after->assign(found->second.data(), found->second.size());
    return status;
  }
};

TEST_F(LimitsTest, OneSessionTooManyIsRefusedWithAHint) {
  StartServer({.max_sessions = 2, .retry_after = milliseconds(750)});
  TestCall first(channel_);
  TestCall second(channel_);
  first.ReadUntil(Event::kSessionCreated);
  second.ReadUntil(Event::kSessionCreated);
  std::string retry_after;
  const grpc::Status status = Refusal(&retry_after);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(status.error_message().find("2 sessions"), std::string::npos) << status.error_message();
  EXPECT_EQ(retry_after, "750");

  // A place that is left is free again.
  first.HalfClose();
  EXPECT_TRUE(first.End().ok());
  TestCall third(channel_);
  third.ReadUntil(Event::kSessionCreated);
}

TEST_F(LimitsTest, AFullEngineIsAFullServer) {
  StartServer({}, {.max_sequences = 1});
  TestCall first(channel_);
  first.ReadUntil(Event::kSessionCreated);
  std::string retry_after;
  EXPECT_EQ(Refusal(&retry_after).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(retry_after, "1000");
  EXPECT_EQ(server_->open_sessions(), 1);
}

TEST_F(LimitsTest, AMessageOverTheSizeEndsTheCall) {
  StartServer({.max_message_bytes = 4096});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadAnswer();
  call.SendAudio(std::string(5000, 'x'));
  const grpc::Status status = call.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(LimitsTest, TheDefaultSizeHoldsTheLongestAudio) {
  StartServer();
  TestCall call(channel_);
  v1::ClientEvent update;
  update.mutable_session_update()->mutable_config()->mutable_input_audio()->set_sample_rate(48000);
  ASSERT_TRUE(call.Send(update));
  ASSERT_TRUE(call.SendAudio(std::string(2 * 2 * 48000, '\0')));
  ASSERT_TRUE(call.Ask("blue 7"));
  EXPECT_EQ(call.ReadAnswer().text, "you said blue 7");
}

// Sends bytes of its own over Converse.
grpc::Status SendRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& bytes) {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  auto stream = stub.PrepareCall(&context, "/antiphon.v1.ConversationService/Converse", &queue);
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  stream->StartCall(nullptr);
  wait();
  const grpc::Slice slice(bytes);
  stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  wait();
  grpc::ByteBuffer event;
  do {
    stream->Read(&event, nullptr);
  } while (wait());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  wait();
  queue.Shutdown();
  while (wait()) {
  }
  return status;
}

TEST_F(LimitsTest, AMessageThatIsNoClientEventEndsTheCall) {
  StartServer();
  const std::string garbage[] = {
      std::string(100, '\xff'),
      std::string("\x0a\x7fshort"),               // an event_id of 127 bytes that are not there
      std::string("\x22\x04\x0a\x02\xc3\x28", 6)  // text_append.text that is not UTF-8
  };
  for (const std::string& bytes : garbage) {
    const grpc::Status status = SendRaw(channel_, bytes);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_TRUE(engine_->WaitForSequences(0));
  }
}

TEST_F(LimitsTest, FieldsOfALaterVersionAreIgnored) {
  StartServer();
  // text_append { text: "blue 7", field 99: 1 }, and field 77 of ClientEvent.
  TestCall call(channel_);
  v1::ClientEvent event;
  ASSERT_TRUE(
      event.ParseFromString(std::string("\x22\x0b\x0a\x06"
                                        "blue 7\x98\x06\x01\xe8\x04\x05",
                                        16)));
  ASSERT_TRUE(event.has_text_append());
  ASSERT_TRUE(call.Send(event));
  ASSERT_TRUE(call.Commit());
  EXPECT_EQ(call.ReadAnswer().text, "you said blue 7");
}

TEST_F(LimitsTest, ASessionOverItsLengthEnds) {
  StartServer({.max_session = milliseconds(300)});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  call.ReadAnswer();
  const grpc::Status status = call.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_NE(status.error_message().find("0.3 s"), std::string::npos) << status.error_message();
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(LimitsTest, ASessionOverItsLengthEndsInTheMiddleOfAnAnswer) {
  StartServer({.max_session = milliseconds(300)}, {.endless = true});
  TestCall call(channel_);
  ASSERT_TRUE(call.Ask("blue 7"));
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(engine_->WaitForSequences(0));
}

TEST_F(LimitsTest, ASilentClientIsLetGo) {
  StartServer({.idle_timeout = milliseconds(200)});
  TestCall call(channel_);
  const grpc::Status status = call.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_NE(status.error_message().find("nothing"), std::string::npos) << status.error_message();
}

TEST_F(LimitsTest, AClientThatDoesNotReadIsCutOff) {
  StartServer({.max_unread_bytes = 128 * 1024, .linger = milliseconds(10'000)}, {.endless = true});
  TestCall call(NarrowChannel());
  ASSERT_TRUE(call.SetMaxLead(60'000));
  ASSERT_TRUE(call.Ask("blue 7"));
  // gRPC's own buffers fill first, then the queue; then the sequence is freed although the client reads
  // nothing.
  EXPECT_TRUE(engine_->WaitForSequences(1));
  EXPECT_TRUE(engine_->WaitForSequences(0));
  const grpc::Status status = call.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(status.error_message().find("does not read"), std::string::npos) << status.error_message();
}

TEST_F(LimitsTest, CancelDropsTheAudioThatWaitsForASlowClient) {
  // Slow enough for the session to keep up, under a sanitizer too: else the call to cancel waits behind
  // frames.
  StartServer({.max_unread_bytes = 64 * 1024 * 1024}, {.step = milliseconds(3), .endless = true});
  TestCall call(NarrowChannel());
  ASSERT_TRUE(call.SetMaxLead(60'000));
  ASSERT_TRUE(call.Ask("blue 7"));
  ASSERT_TRUE(engine_->WaitForSpokenFrames(300));  // far more than gRPC's own buffers hold; nothing is read
  ASSERT_TRUE(call.Cancel());
  uint32_t deltas = 0;
  std::optional<v1::ServerEvent> event;
  while ((event = call.Read()) && !event->has_response_done()) deltas += event->has_audio_delta() ? 1 : 0;
  ASSERT_TRUE(event);
  EXPECT_EQ(event->response_done().status(), v1::ResponseDone::STATUS_CANCELLED);
  EXPECT_LT(2 * deltas, event->response_done().usage().spoken_frames());
}

TEST_F(LimitsTest, AClientThatNeverReadsHoldsNothing) {
  StartServer({.max_unread_bytes = 128 * 1024, .linger = milliseconds(100)}, {.endless = true});
  TestCall call(NarrowChannel());
  ASSERT_TRUE(call.SetMaxLead(60'000));
  ASSERT_TRUE(call.Ask("blue 7"));
  EXPECT_TRUE(engine_->WaitForSequences(1));
  EXPECT_TRUE(engine_->WaitForSequences(0));
  server_->Stop();  // would wait for the call, were it still open
  EXPECT_FALSE(call.End().ok());
}

TEST_F(LimitsTest, AFloodOfEventsIsReadNoFasterThanItIsHandled) {
  StartServer({.max_waiting_events = 2});
  TestCall call(channel_);
  std::thread reader([&call] { EXPECT_EQ(call.ReadAnswer().text, "you said blue 7"); });
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(call.SendAudio(std::string(960, '\0')));
  ASSERT_TRUE(call.Ask("blue 7"));
  reader.join();
}

TEST_F(LimitsTest, PacketNumbersFromEverywhereCostNothing) {
  StartServer();
  TestCall call(channel_);
  v1::ClientEvent update;
  v1::AudioFormat* format = update.mutable_session_update()->mutable_config()->mutable_input_audio();
  format->set_encoding(v1::AUDIO_ENCODING_OPUS);
  format->set_sample_rate(48000);
  ASSERT_TRUE(call.Send(update));
  const std::string silence(1, static_cast<char>(1 << 3));  // 20 ms in a byte
  ASSERT_TRUE(call.SendPacket(silence, 0));
  std::mt19937 random(9);
  int far = 0;
  for (uint32_t i = 0; i < 300; ++i) {
    // Half of them near, with gaps that are filled.
    const auto number = i % 2 == 0 ? static_cast<uint32_t>(random()) : i / 2 * 16;
    ASSERT_TRUE(call.SendPacket(silence, number));
  }
  ASSERT_TRUE(call.Ask("blue 7"));
  v1::ServerEvent event;
  do {
    event = call.Read().value_or(v1::ServerEvent());
    if (!event.has_error()) continue;
    ++far;
    EXPECT_EQ(event.error().field(), "audio_append.packet_number");
    EXPECT_EQ(event.error().code(), static_cast<uint32_t>(grpc::StatusCode::OUT_OF_RANGE));
  } while (event.has_error() || event.has_session_created() || event.has_session_updated());
  EXPECT_GE(far, 145);
  EXPECT_EQ(call.ReadAnswer().text, "you said blue 7");
}

TEST_F(LimitsTest, OptionsThatCannotBeAreRefused) {
  FakeEngine engine;
  for (const ServerOptions& options :
       {ServerOptions{.max_sessions = 0}, ServerOptions{.max_session = milliseconds(0)},
        ServerOptions{.max_message_bytes = 10}, ServerOptions{.drain = milliseconds(-1)}}) {
    EXPECT_EQ(Server::Start(engine, options).status().code(), StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace antiphon
