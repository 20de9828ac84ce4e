// What waits to be handled by one session's thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "antiphon/engine.h"
#include "antiphon/status.h"
#include "conversation/client_event.h"

namespace antiphon {

struct EngineInput {
  uint64_t turn;
  SequenceEvent event;
};
struct HalfClose {};
using ClientInput = std::variant<ClientEvent, HalfClose>;

// What may wait. A client is not read from while either of its limits is reached, so that what it has sent is
// at most one message beyond them; more results of the engine end the session.
struct InboxLimits {
  size_t client_events;
  size_t client_bytes;
  size_t engine_events;
};

// The network's threads and the engine's thread put in, never waiting; the session's thread takes out, and
// may leave the client's events where they are for as long as it cannot handle them. Thread-safe.
class SessionInbox {
 public:
  explicit SessionInbox(const InboxLimits& limits) : limits_(limits) {}

  // An event that took `bytes` on the wire. False when the reader should pause; Taken::resume_reading then
  // says when to go on.
  [[nodiscard]] bool PushClient(ClientEvent event, size_t bytes);
  // Behind the client's last event.
  void PushHalfClose();
  void PushEngine(uint64_t turn, SequenceEvent event);
  // Ends the session with `status` before anything that waits is handled. The first call counts.
  void Abort(Status status);
  // Makes Wait return: something else that matters to the session has changed.
  void Wake();
  // The server is going to stop: the session should end as soon as no response is due.
  void Drain();

  // The rest is only for the session's thread.

  struct Batch {
    size_t client_inputs = 0;          // that wait for TakeClient
    std::vector<EngineInput> results;  // all, in the order they came
    bool draining = false;
    std::optional<Status> abort;
  };
  // Waits until there is something new or `deadline` has passed. What the client has sent is only new to a
  // session that `accepts_client`.
  Batch Wait(TimePoint deadline, bool accepts_client);

  struct Taken {
    ClientInput input;
    bool resume_reading = false;
  };
  // The oldest. REQUIRES: the last batch had more of them than were taken since.
  Taken TakeClient();

 private:
  struct Waiting {
    ClientInput input;
    size_t bytes;
  };

  const InboxLimits limits_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::deque<Waiting> client_;
  size_t client_bytes_ = 0;
  std::vector<EngineInput> results_;
  bool paused_ = false;
  bool draining_ = false;
  bool drain_seen_ = false;
  bool woken_ = false;
  std::optional<Status> abort_;
};

}  // namespace antiphon
