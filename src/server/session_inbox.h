// What waits to be handled by one session's thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
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
using SessionInput = std::variant<ClientEvent, EngineInput, HalfClose>;

// The network's threads and the engine's thread put in, never waiting; the session's thread takes out.
// Bounded on both sides: a client that is ahead is not read from until the session has caught up, results
// that pile up end the session. Thread-safe.
class SessionInbox {
 public:
  SessionInbox(size_t max_client_events, size_t max_engine_events);

  // False when the reader should pause; Batch::resume_reading then says when to go on.
  [[nodiscard]] bool PushClient(ClientEvent event);
  void PushEngine(uint64_t turn, SequenceEvent event);
  void PushHalfClose();
  // Ends the session with `status` before anything that waits is handled. The first call counts.
  void Abort(Status status);
  // The server is going to stop: the session should end as soon as no response is due.
  void Drain();

  struct Batch {
    std::vector<SessionInput> inputs;  // in the order they came
    bool resume_reading = false;
    bool draining = false;
    std::optional<Status> abort;
  };
  // Waits until there is something new or `deadline` has passed. Only for the session's thread.
  Batch Wait(TimePoint deadline);

 private:
  const size_t max_client_events_;
  const size_t max_engine_events_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::vector<SessionInput> inputs_;
  size_t client_events_ = 0;
  size_t engine_events_ = 0;
  bool paused_ = false;
  bool draining_ = false;
  bool drain_seen_ = false;
  std::optional<Status> abort_;
};

}  // namespace antiphon
