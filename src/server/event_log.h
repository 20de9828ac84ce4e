// What a conversation tells its client: numbers it, and keeps it for a client that may come back.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "antiphon/status.h"
#include "antiphon/v1/conversation.pb.h"
#include "server/unread_queue.h"

namespace antiphon {

// Of events and their bytes on the wire. One more is a fault.
struct EventLogLimits {
  size_t unread_bytes;  // that wait to be written
  size_t kept_events;   // these, and what was written and not acknowledged
  size_t kept_bytes;
};

//   pushed ──> unread ──(Next: it gets its number)──> written ──(Acknowledge)──> forgotten
//                ^ may still be dropped                 │ ^
//                                                       └─┘ Rewind: is written again
//
// Without KeepUnacknowledged what is written is forgotten at once. Not thread-safe.
class EventLog {
 public:
  explicit EventLog(const EventLogLimits& limits) : limits_(limits) {}

  // From now on.
  void KeepUnacknowledged() { keeps_ = true; }
  bool keeps() const { return keeps_; }

  // Without its number. Nothing after a fault.
  void Push(v1::ServerEvent event);
  // Of what is unread.
  void DropMedia(const std::string& response_id);

  // The next event to write, as bytes. False when there is none.
  bool Next(grpc::ByteBuffer* event);

  // The client has the event of this number and all before it. OUT_OF_RANGE for one that was not written yet.
  Status Acknowledge(uint64_t number);
  // A new stream: the event after this number is the next. OUT_OF_RANGE, with nothing changed, when that is
  // not kept.
  Status Rewind(uint64_t number);

  // Nothing is unread or unacknowledged.
  bool settled() const { return kept_.empty() && unread_.size() == 0; }
  // OK, or the limit that was reached; then nothing is kept and nothing will be written.
  const Status& fault() const { return fault_; }
  // Forgets everything that is unread or kept.
  void Clear();

 private:
  struct Kept {
    uint64_t number;
    grpc::ByteBuffer event;
    size_t bytes;
  };

  void CheckLimits();

  const EventLogLimits limits_;
  bool keeps_ = false;
  UnreadQueue<v1::ServerEvent> unread_;
  std::deque<Kept> kept_;  // numbers without a gap, up to last_number_
  size_t kept_bytes_ = 0;
  size_t to_write_ = 0;          // of kept_, the first that the present stream has not been given
  uint64_t last_number_ = 0;     // of the last event that left unread_
  uint64_t last_forgotten_ = 0;  // greatest number that cannot be had again
  Status fault_;
};

}  // namespace antiphon
