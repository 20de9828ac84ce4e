// What calls have in common: the queue of messages that a client has yet to read, and the end.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "server/call.h"

namespace antiphon {

// `Reactor` is gRPC's, of byte buffers; `Message` is what is written, v1::ServerEvent or
// v1::GenerateResponse. Thread rule: as Call; gRPC calls the reactions from its own threads.
template <typename Reactor, typename Message>
class WritingCall : public Reactor, public Call {
 public:
  void DropMedia(const std::string& response_id) override;
  Status fault() const override;
  void FinishAndWait(const Status& status, std::chrono::milliseconds linger) override;

 protected:
  // `context` and `inbox` outlive the call. More than `max_unread_bytes` waiting to be written are a fault.
  WritingCall(grpc::CallbackServerContext* context, SessionInbox* inbox, size_t max_unread_bytes)
      : inbox_(inbox), context_(context), max_unread_bytes_(max_unread_bytes) {}

  // Behind all that waits; an image delta that waits is forgotten for a later one of its picture.
  void Queue(Message message);

  SessionInbox* const inbox_;

 private:
  struct Unwritten {
    Message message;  // without its number
    size_t bytes;     // about what it takes on the wire
  };

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // Takes what `unwanted` says out of the queue. Caller holds mutex_.
  template <typename Predicate>
  void Drop(Predicate unwanted);
  // Moves the next queued message to writing_; false when there is none. Caller holds mutex_.
  bool TakeNext();
  void FinishNow();

  grpc::CallbackServerContext* const context_;
  const size_t max_unread_bytes_;

  mutable std::mutex mutex_;
  std::condition_variable done_changed_;
  // Guarded by mutex_.
  grpc::ByteBuffer writing_;  // owned by gRPC while write_under_way_
  bool write_under_way_ = false;
  uint64_t writes_ = 0;  // finished
  bool broken_ = false;  // no write will succeed any more
  bool overflowed_ = false;
  std::deque<Unwritten> queue_;
  size_t queued_bytes_ = 0;
  uint64_t sequence_number_ = 0;  // of the last message that left the queue
  std::optional<Status> end_;     // FinishAndWait was called
  bool done_ = false;
};

}  // namespace antiphon
