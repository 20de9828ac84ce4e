// One Converse call: a queue of messages to send, and the messages received handed to a sink.
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

namespace antiphon::client {

// Called on gRPC's threads, one call at a time, in order.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  // False: no more until Stream::ReadOn.
  virtual bool OnEvent(TimePoint received, v1::ServerEvent&& event) = 0;
  // The call is over; the last call to the sink.
  virtual void OnEnd(const grpc::Status& status, const grpc::ClientContext& context) = 0;
};

// Thread-safe. Its state:
//
//   idle ──(Start)──> open ──(read fails: ended by the server or cancelled)──> ending ──(OnDone)──> done
//
// gRPC's hold, taken in Start, lets writes begin outside of gRPC's callbacks; it is dropped with the state
// `open`.
class Stream final : private grpc::ClientBidiReactor<v1::ClientEvent, v1::ServerEvent> {
 public:
  // `sink` must outlive the stream.
  Stream(std::shared_ptr<grpc::Channel> channel, StreamSink* sink, size_t max_queued_bytes);
  // Cancels the call if needed and waits for its end. The sink must not be holding back reads.
  ~Stream() override;

  // REQUIRES: called once.
  void Start();
  // How much may wait already when an event is queued.
  enum class Room {
    kInput,    // max_queued_bytes: what comes without end
    kSignal,   // 64 KiB more: what must still get through when input fills the queue
    kGranted,  // anything: the rest of what Ready has let in
  };
  // RESOURCE_EXHAUSTED while there is no room, FAILED_PRECONDITION after FinishWriting or the end.
  Status Ready(Room room);
  // Queues `event`, or nothing and an error as above.
  Status Send(v1::ClientEvent event, Room room);
  // Half-closes when what is queued has been sent. Idempotent.
  void FinishWriting();
  // After OnEvent returned false.
  void ReadOn();
  void Cancel() { context_.TryCancel(); }

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
