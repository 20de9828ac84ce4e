// One Converse call: gRPC's side of a session.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "antiphon/status.h"
#include "antiphon/v1/conversation.pb.h"
#include "conversation/server_event.h"
#include "server/session_inbox.h"

namespace antiphon {

// Reads into the inbox and writes what it is told to send. Messages are read as bytes: a generated reader
// cannot tell one that is no ClientEvent from a half-close.
//
// Thread rule: gRPC calls the reactions from its threads; Send, DropMedia, ResumeReading and FinishAndWait
// belong to the session's thread, which also deletes the call, after FinishAndWait.
class ConverseCall final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                           public EventSink {
 public:
  // `context` and `inbox` outlive the call. More than `max_unread_bytes` waiting to be written set
  // overflowed().
  ConverseCall(grpc::CallbackServerContext* context, SessionInbox* inbox, size_t max_unread_bytes);

  // Begins to read.
  void Start() { ReadNext(); }

  void Send(ServerEvent event) override;
  void DropMedia(const std::string& response_id) override;
  // The client has not read what it was sent. Nothing more is queued from then on.
  bool overflowed() const;

  // After an event was taken with resume_reading.
  void ResumeReading() { ReadNext(); }

  // Ends the call: writes what is queued, sends `status` and returns when gRPC is done with the call. A
  // client that reads nothing for `linger`, or takes twelve times as long altogether, is cut off.
  void FinishAndWait(const Status& status, std::chrono::milliseconds linger);

 private:
  struct Unwritten {
    v1::ServerEvent message;  // without its number
    size_t bytes;             // about what it takes on the wire
  };

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void ReadNext();
  // Takes what `unwanted` says out of the queue. Caller holds mutex_.
  template <typename Predicate>
  void Drop(Predicate unwanted);
  // Moves the next queued message to writing_; false when there is none. Caller holds mutex_.
  bool TakeNext();
  void FinishNow();

  grpc::CallbackServerContext* const context_;
  SessionInbox* const inbox_;
  const size_t max_unread_bytes_;
  grpc::ByteBuffer reading_;  // owned by gRPC between StartRead and OnReadDone

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
