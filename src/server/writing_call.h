// Writing to a client that only reads: the queue of messages that it has yet to read, and the end.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "antiphon/v1/generation.pb.h"
#include "server/call.h"
#include "server/unread_queue.h"

namespace antiphon {

// The writing half of a Generate call. Thread rule: as Call; gRPC calls the reactions from its own threads.
class WritingCall : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public Call {
 public:
  using Reactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

  // What gRPC is given.
  Reactor* reactor() { return this; }

  void DropMedia(const std::string& response_id) override;
  Status fault() const override;
  void FinishAndWait(const Status& status, std::chrono::milliseconds linger) override;

 protected:
  // `context` and `inbox` outlive the call. More than `max_unread_bytes` waiting to be written are a fault.
  WritingCall(grpc::CallbackServerContext* context, SessionInbox* inbox, size_t max_unread_bytes)
      : inbox_(inbox), context_(context), max_unread_bytes_(max_unread_bytes) {}

  // Behind all that waits, as UnreadQueue says.
  void Queue(v1::GenerateResponse message);

  SessionInbox* const inbox_;

 private:
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

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
  UnreadQueue<v1::GenerateResponse> queue_;
  std::optional<Status> end_;  // FinishAndWait was called
  bool done_ = false;
};

}  // namespace antiphon
