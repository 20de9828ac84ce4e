// All sessions of a server: lets them in, gives each its thread, and ends them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "server/server_metrics.h"
#include "server/server_options.h"
#include "server/session.h"

namespace antiphon {

// Where a call that finds the server full would stand.
struct PlaceInQueue {
  size_t position = 1;  // 1: the next to get in
  // By the mean length of the sessions that have ended, newer ones counting more; nothing before any has.
  std::optional<std::chrono::milliseconds> expected_wait;

  // For a person: "the place in the queue is 3, ...".
  std::string ToString() const;
};

// How a call wants to be let in.
struct Door {
  std::chrono::milliseconds longest_wait{0};
  std::function<void(const PlaceInQueue& place)> on_full;
};

// Thread-safe. The destructor ends every session and waits for it.
class SessionHost {
 public:
  // `engine` and `metrics` outlive the host.
  SessionHost(Engine& engine, const ServerOptions& options, ServerMetrics& metrics);
  ~SessionHost();

  // Makes a call with `make_call` and starts a session for it, or puts it into the queue for at most
  // door.longest_wait when the server or its engine is full; what becomes of it then its client is told as
  // the call ends. RESOURCE_EXHAUSTED when it is full and the call is not to wait, or kMostWaiting wait
  // already, UNAVAILABLE once Drain was called: then there is no call, or none any more. Nobody gets in
  // before those who wait. A refusal that is RESOURCE_EXHAUSTED is told to door.on_full first, now or later
  // on the session's thread.
  Status Admit(SessionKind kind, const CallMaker& make_call, const Door& door);

  static constexpr size_t kMostWaiting = 64;

  // Lets nobody in any more, and waits: for responses under way at most `patience`, then ends what is left.
  void Drain(std::chrono::milliseconds patience);

  // Sessions that hold a sequence of the engine.
  int open_sessions() const;

  // Where to count what does not become a session.
  SessionMetrics& metrics() { return metrics_.sessions; }

 private:
  struct Entry {
    std::unique_ptr<Session> session;
    SessionKind kind;
    Door door;
    std::optional<TimePoint> waits_until;  // in the queue
    std::thread thread;
    bool ended = false;
  };

  // Session::Enter; what it throws is a refusal.
  static Status Enter(Session& session);
  void Run(Entry* entry);
  // Returns OK when the session has entered; it is out of the queue then and otherwise.
  Status AwaitPlace(Entry* entry);
  // REQUIRES of both: mutex_ is held.
  std::optional<Status> TryToEnter(Entry* entry, std::unique_lock<std::mutex>& lock);
  PlaceInQueue PlaceAt(size_t position) const;
  Status Full(const Status& reason, const PlaceInQueue& place) const;
  // Frees sessions that have ended.
  void Reap();

  Engine& engine_;
  const ServerOptions options_;
  ServerMetrics& metrics_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::list<Entry> entries_;
  std::deque<Entry*> queue_;
  int open_ = 0;
  double mean_session_ms_ = 0;  // fading, of those that ended
  bool draining_ = false;
};

}  // namespace antiphon
