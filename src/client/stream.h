// One call, Converse or Resume: a queue of messages to send, and the messages received handed to a sink.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>

#include "antiphon/status.h"
#include "antiphon/types.h"
#include "antiphon/v1/conversation.grpc.pb.h"
#include "client/event_stream.h"

namespace antiphon::client {

// Thread-safe. Its state:
//
//   idle ──(Start)──> open ──(read fails: ended by the server or cancelled)──> ending ──(OnDone)──> done
//
// gRPC's hold, taken in Start, lets writes begin outside of gRPC's callbacks; it is dropped with the state
// `open`.
class Stream final : public EventStream, private grpc::ClientBidiReactor<v1::ClientEvent, v1::ServerEvent> {
 public:
  enum class Method { kConverse, kResume };

  // `sink` must outlive the stream. `wait_for_place`: how long a full server is to hold the call.
  Stream(std::shared_ptr<grpc::Channel> channel, StreamSink* sink, size_t max_queued_bytes,
         Method method = Method::kConverse, std::chrono::milliseconds wait_for_place = {});
  // Cancels the call if needed.
  ~Stream() override;

  void Start() override;
  Status Ready(Room room) override;
  Status Send(v1::ClientEvent event, Room room) override;
  // Half-closes when what is queued has been sent.
  void FinishWriting() override;
  void ReadOn() override;
  void Cancel() override { context_.TryCancel(); }

 private:
  enum class State { kIdle, kOpen, kEnding, kDone };

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  // REQUIRES of both: mutex_ is held. Of WriteNext: the state is kOpen, no write is under way.
  Status Check(Room room) const;
  void WriteNext();

  const std::unique_ptr<v1::ConversationService::Stub> stub_;
  StreamSink* const sink_;
  const size_t max_queued_bytes_;
  const Method method_;
  grpc::ClientContext context_;  // self-synchronised
  v1::ServerEvent incoming_;     // gRPC's while a read is under way, else OnReadDone's

  std::mutex mutex_;  // guards what follows
  std::condition_variable done_;
  State state_ = State::kIdle;
  std::deque<v1::ClientEvent> outgoing_;  // the front is gRPC's while writing_
  size_t queued_bytes_ = 0;
  bool writing_ = false;
  bool finish_writing_ = false;  // half-close once outgoing_ is empty
};

}  // namespace antiphon::client
