#include "server/session_host.h"

#include <exception>
#include <string>
#include <utility>

#include "common/logging.h"

namespace antiphon {

SessionHost::SessionHost(Engine& engine, const ServerOptions& options, ServerMetrics& metrics)
    : engine_(engine), options_(options), metrics_(metrics) {}

SessionHost::~SessionHost() {
  Drain(std::chrono::milliseconds(0));
  Reap();
}

Status SessionHost::Admit(SessionKind kind, const CallMaker& make_call) {
  Reap();
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return Unavailable("the server is stopping");
    // Calls that linger hold no sequence, but a thread each: they are bounded as well.
    const bool lingering = entries_.size() >= 2 * static_cast<size_t>(options_.max_sessions);
    if (open_ >= options_.max_sessions || lingering) {
      return ResourceExhausted("the server is full: " + std::to_string(options_.max_sessions) + " sessions");
    }
    ++open_;  // the place is taken while the engine is asked, without the lock
  }
  Result<std::unique_ptr<Session>> session = OpenSession(kind, make_call);
  const std::lock_guard lock(mutex_);
  if (session.ok() && draining_) session = Unavailable("the server is stopping");
  if (session.ok()) {
    try {
      Entry& entry = entries_.emplace_back();
      entry.session = std::move(*session);
      entry.thread = std::thread(&SessionHost::Run, this, &entry);
      return OkStatus();
    } catch (const std::exception& error) {
      if (!entries_.empty() && !entries_.back().thread.joinable()) entries_.pop_back();
      session = ResourceExhausted(std::string("no thread for a session: ") + error.what());
    }
  }
  --open_;
  return session.status();
}

Result<std::unique_ptr<Session>> SessionHost::OpenSession(SessionKind kind, const CallMaker& make_call) {
  try {
    return Session::Open(engine_, options_, kind, metrics_, make_call);
  } catch (const std::exception& error) {
    return ResourceExhausted(std::string("no room for a session: ") + error.what());
  }
}

void SessionHost::Run(Entry* entry) {
  entry->session->Run([this] {
    const std::lock_guard lock(mutex_);
    --open_;
  });
  const std::lock_guard lock(mutex_);
  entry->ended = true;
  changed_.notify_all();
}

void SessionHost::Reap() {
  std::list<Entry> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto next = std::next(entry);
      if (entry->ended) ended.splice(ended.end(), entries_, entry);
      entry = next;
    }
  }
  for (Entry& entry : ended) entry.thread.join();
}

void SessionHost::Drain(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  const auto all_ended = [this] {
    for (const Entry& entry : entries_) {
      if (!entry.ended) return false;
    }
    return true;
  };
  for (Entry& entry : entries_) entry.session->Drain();
  if (changed_.wait_for(lock, patience, all_ended)) return;
  if (patience > std::chrono::milliseconds(0))
    LogWarning("the drain time is over: the last sessions are ended");
  for (Entry& entry : entries_) entry.session->Stop(Unavailable("the server has stopped"));
  changed_.wait(lock, all_ended);
}

int SessionHost::open_sessions() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

}  // namespace antiphon
