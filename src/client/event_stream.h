// What a conversation speaks through: client events out, server events in.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <cstddef>
#include <optional>

#include "antiphon/status.h"
#include "antiphon/types.h"
#include "antiphon/v1/conversation.pb.h"

namespace antiphon::client {

// How it ended.
struct StreamEnd {
  grpc::Status status;
  std::optional<std::chrono::milliseconds> retry_after{};  // the server's hint
  bool session_over = false;  // the server says so; otherwise it may have been the network
};

// Called on threads of the library, one call at a time, in order.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  // False: no more until EventStream::ReadOn.
  virtual bool OnEvent(TimePoint received, v1::ServerEvent&& event) = 0;
  // The last call to the sink.
  virtual void OnEnd(const StreamEnd& end) = 0;
};

// Thread-safe. The destructor ends it and waits for that; the sink, which outlives it, must not be holding
// back reads then.
class EventStream {
 public:
  virtual ~EventStream() = default;

  // REQUIRES: called once, first.
  virtual void Start() = 0;
  // How much may wait already when an event is queued.
  enum class Room {
    kInput,    // max_queued_bytes: what comes without end
    kSignal,   // 64 KiB more: what must still get through when input fills the queue
    kGranted,  // anything: the rest of what Ready has let in
  };
  // RESOURCE_EXHAUSTED while there is no room, FAILED_PRECONDITION after FinishWriting or the end.
  virtual Status Ready(Room room) = 0;
  // Queues `event`, or nothing and an error as above.
  virtual Status Send(v1::ClientEvent event, Room room) = 0;
  // No event follows those that are queued. Idempotent.
  virtual void FinishWriting() = 0;
  // After OnEvent returned false.
  virtual void ReadOn() = 0;
  // Ends it soon, without waiting for that. Idempotent.
  virtual void Cancel() = 0;
};

// About what an event takes in memory while it waits.
size_t CostOf(const v1::ClientEvent& event);
// RESOURCE_EXHAUSTED unless there is room beside `queued_bytes`.
Status CheckRoom(EventStream::Room room, size_t queued_bytes, size_t max_queued_bytes);

}  // namespace antiphon::client
