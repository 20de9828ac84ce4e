// All sessions of a server: lets them in, gives each its thread, and ends them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "antiphon/engine.h"
#include "server/server_metrics.h"
#include "server/server_options.h"
#include "server/session.h"

namespace antiphon {

// Thread-safe. The destructor ends every session and waits for it.
class SessionHost {
 public:
  // `engine` and `metrics` outlive the host.
  SessionHost(Engine& engine, const ServerOptions& options, ServerMetrics& metrics);
  ~SessionHost();

  // Makes a call with `make_call` and starts a session for it. RESOURCE_EXHAUSTED when the server or its
  // engine is full, UNAVAILABLE once Drain was called: then there is no call, or none any more.
  Status Admit(SessionKind kind, const CallMaker& make_call);

  // Lets nobody in any more, and waits: for responses under way at most `patience`, then ends what is left.
  void Drain(std::chrono::milliseconds patience);

  // Sessions that hold a sequence of the engine.
  int open_sessions() const;

  // Where to count what does not become a session.
  SessionMetrics& metrics() { return metrics_.sessions; }

 private:
  struct Entry {
    std::unique_ptr<Session> session;
    std::thread thread;
    bool ended = false;
  };

  // Session::Open; what it throws is a refusal.
  Result<std::unique_ptr<Session>> OpenSession(SessionKind kind, const CallMaker& make_call);
  void Run(Entry* entry);
  // Frees sessions that have ended.
  void Reap();

  Engine& engine_;
  const ServerOptions options_;
  ServerMetrics& metrics_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::list<Entry> entries_;
  int open_ = 0;
  bool draining_ = false;
};

}  // namespace antiphon
