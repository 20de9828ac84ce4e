// A real server on a real socket with a fake engine, and a client that speaks the bare protocol.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "antiphon/v1/conversation.grpc.pb.h"
#include "common/logging.h"
#include "server/server.h"
#include "tests/server/fake_engine.h"

namespace antiphon {

// One Converse call from a client's side. Every read fails after 20 s instead of hanging the test.
class TestCall {
 public:
  // `wait_ms`, if not empty: how long it may be held until the server has a place for it.
  explicit TestCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& wait_ms = "")
      : stub_(v1::ConversationService::NewStub(channel)) {
    if (!wait_ms.empty()) context_.AddMetadata("antiphon-wait-ms", wait_ms);
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    stream_ = stub_->Converse(&context_);
  }
  ~TestCall() {
    if (!finished_) {
      context_.TryCancel();
      Finish();
    }
  }

  bool Send(const v1::ClientEvent& event) { return stream_->Write(event); }
  bool SendText(const std::string& text) {
    v1::ClientEvent event;
    event.mutable_text_append()->set_text(text);
    return Send(event);
  }
  bool SendAudio(std::string audio) {
    v1::ClientEvent event;
    event.mutable_audio_append()->set_audio(std::move(audio));
    return Send(event);
  }
  bool SendPacket(std::string packet, uint32_t number) {
    v1::ClientEvent event;
    event.mutable_audio_append()->set_audio(std::move(packet));
    event.mutable_audio_append()->set_packet_number(number);
    return Send(event);
  }
  bool SendImage(std::string data, const std::string& media_type, uint32_t width = 0, uint32_t height = 0) {
    v1::ClientEvent event;
    event.mutable_image_append()->set_data(std::move(data));
    event.mutable_image_append()->set_media_type(media_type);
    event.mutable_image_append()->set_width(width);
    event.mutable_image_append()->set_height(height);
    return Send(event);
  }
  bool SendVideo(std::string data, const std::string& media_type, uint32_t width = 0, uint32_t height = 0) {
    v1::ClientEvent event;
    event.mutable_video_frame()->set_data(std::move(data));
    event.mutable_video_frame()->set_media_type(media_type);
    event.mutable_video_frame()->set_width(width);
    event.mutable_video_frame()->set_height(height);
    return Send(event);
  }
  bool Commit() {
    v1::ClientEvent event;
    event.mutable_commit();
    return Send(event);
  }
  bool Cancel() {
    v1::ClientEvent event;
    event.mutable_cancel();
    return Send(event);
  }
  // How far ahead of its playback speech may be sent.
  bool SetMaxLead(uint32_t ms) {
    v1::ClientEvent event;
    event.mutable_session_update()->mutable_config()->set_max_lead_ms(ms);
    return Send(event);
  }
  bool Ask(const std::string& text) { return SendText(text) && Commit(); }
  void HalfClose() { stream_->WritesDone(); }
  // As a client that is gone: the stream is reset.
  void Vanish() { context_.TryCancel(); }

  // The next event; nothing when the call is over. Sequence numbers must count from 1.
  std::optional<v1::ServerEvent> Read() {
    v1::ServerEvent event;
    if (!stream_->Read(&event)) return std::nullopt;
    EXPECT_EQ(event.sequence_number(), ++events_read_);
    return event;
  }
  // Reads on to the next event of a kind. Fails the test when the call ends before.
  v1::ServerEvent ReadUntil(v1::ServerEvent::EventCase kind) {
    while (auto event = Read()) {
      if (event->event_case() == kind) return *std::move(event);
    }
    ADD_FAILURE() << "the call ended before event " << kind << ": " << Finish().error_message();
    return {};
  }
  // The whole response under way, its deltas joined.
  struct Answer {
    std::string text;
    std::string audio;
    std::vector<v1::ImageStarted> pictures;
    std::vector<v1::ImageDelta> previews;
    std::vector<v1::ImageDone> finished;
    v1::ResponseDone done;
  };
  Answer ReadAnswer() {
    Answer answer;
    while (auto event = Read()) {
      if (event->has_text_delta()) answer.text += event->text_delta().text();
      if (event->has_audio_delta()) answer.audio += event->audio_delta().audio();
      if (event->has_image_started()) answer.pictures.push_back(event->image_started());
      if (event->has_image_delta()) answer.previews.push_back(event->image_delta());
      if (event->has_image_done()) answer.finished.push_back(event->image_done());
      if (event->has_response_done()) {
        answer.done = event->response_done();
        return answer;
      }
    }
    ADD_FAILURE() << "the call ended before the response: " << Finish().error_message();
    return answer;
  }

  // Reads what is left and returns how the call ended.
  grpc::Status End() {
    while (Read()) {
    }
    return Finish();
  }
  grpc::Status Finish() {
    if (!finished_) {
      finished_ = true;
      status_ = stream_->Finish();
    }
    return status_;
  }
  const grpc::ClientContext& context() const { return context_; }

 private:
  std::unique_ptr<v1::ConversationService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ClientEvent, v1::ServerEvent>> stream_;
  uint64_t events_read_ = 0;
  bool finished_ = false;
  grpc::Status status_;
};

class ServerFixture : public testing::Test {
 protected:
  // Call first. Listens on a free port whatever the options say.
  void StartServer(ServerOptions options = {}, const FakeEngineOptions& engine = {}) {
    SetLogLevel(LogLevel::kError);
    engine_ = std::make_unique<FakeEngine>(engine);
    options.listen = "127.0.0.1:0";
    auto server = Server::Start(*engine_, options);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(*server);
    channel_ = NewChannel();
  }

  // A connection of its own: channels with the same arguments would share one.
  std::shared_ptr<grpc::Channel> NewChannel(grpc::ChannelArguments arguments = {}) {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), arguments);
  }

  std::unique_ptr<FakeEngine> engine_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace antiphon
