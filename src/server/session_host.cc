#include "server/session_host.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "common/logging.h"

namespace antiphon {
namespace {

// What is not told: that the engine has time again, and that a client which waits is gone.
constexpr std::chrono::milliseconds kLookAgain{250};
constexpr double kMeanFade = 0.9;

}  // namespace

SessionHost::SessionHost(Engine& engine, const ServerOptions& options, ServerMetrics& metrics)
    : engine_(engine), options_(options), metrics_(metrics) {}

SessionHost::~SessionHost() {
  Drain(std::chrono::milliseconds(0));
  Reap();
}

Status SessionHost::Admit(SessionKind kind, const CallMaker& make_call, const Door& door) {
  Reap();
  auto session = std::make_unique<Session>(engine_, options_, kind, metrics_, make_call);
  Status status =
      ResourceExhausted("the server is full: " + std::to_string(options_.max_sessions) + " sessions");
  bool place = false;
  bool lingering = false;
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return Unavailable("the server is stopping");
    // Calls that linger hold no sequence, but a thread each: they are bounded as well.
    lingering = entries_.size() - queue_.size() >= 2 * static_cast<size_t>(options_.max_sessions);
    place = open_ < options_.max_sessions && !lingering && queue_.empty();
    if (place) ++open_;  // it is taken while the engine is asked, without the lock
  }
  if (place) status = Enter(*session);
  const std::lock_guard lock(mutex_);
  if (draining_) status = Unavailable("the server is stopping");
  std::optional<TimePoint> waits_until;
  if (status.code() == StatusCode::kResourceExhausted) {
    const bool waits =
        door.longest_wait > std::chrono::milliseconds(0) && queue_.size() < kMostWaiting && !lingering;
    if (waits) waits_until = SystemClock::Get().Now() + door.longest_wait;
  }
  if (status.ok() || waits_until) {
    try {
      Entry& entry = entries_.emplace_back();
      entry.session = std::move(session);
      entry.kind = kind;
      entry.door = door;
      entry.waits_until = waits_until;
      if (waits_until) queue_.push_back(&entry);
      entry.thread = std::thread(&SessionHost::Run, this, &entry);
      if (place && waits_until) --open_;
      return OkStatus();
    } catch (const std::exception& error) {
      if (!queue_.empty() && !entries_.empty() && queue_.back() == &entries_.back()) queue_.pop_back();
      if (!entries_.empty() && !entries_.back().thread.joinable()) entries_.pop_back();
      status = ResourceExhausted(std::string("no thread for a session: ") + error.what());
    }
  }
  if (place) --open_;
  if (status.code() != StatusCode::kResourceExhausted) return status;
  const PlaceInQueue would_be = PlaceAt(queue_.size() + 1);
  door.on_full(would_be);
  return Full(status, would_be);
}

Status SessionHost::Enter(Session& session) {
  try {
    return session.Enter();
  } catch (const std::exception& error) {
    return ResourceExhausted(std::string("no room for a session: ") + error.what());
  }
}

PlaceInQueue SessionHost::PlaceAt(size_t position) const {
  PlaceInQueue place{position, std::nullopt};
  if (mean_session_ms_ > 0) {
    const double each = mean_session_ms_ / std::max(open_, 1);  // from one end of a session to the next
    place.expected_wait =
        std::chrono::milliseconds(static_cast<int64_t>(each * static_cast<double>(position)));
  }
  return place;
}

Status SessionHost::Full(const Status& reason, const PlaceInQueue& place) const {
  return {reason.code(), reason.message() + "; " + place.ToString()};
}

std::string PlaceInQueue::ToString() const {
  std::string text = "the place in the queue is " + std::to_string(position);
  if (expected_wait) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*expected_wait);
    text += ", the expected wait " + std::to_string(seconds.count()) + " s";
  }
  return text;
}

Status SessionHost::AwaitPlace(Entry* entry) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (const std::optional<Status> end = TryToEnter(entry, lock)) {
      std::erase(queue_, entry);
      changed_.notify_all();  // whoever is next may get in
      return *end;
    }
    const TimePoint look_again = SystemClock::Get().Now() + kLookAgain;
    changed_.wait_until(lock, std::min(*entry->waits_until, look_again));
  }
}

// Nothing: it has to go on waiting.
std::optional<Status> SessionHost::TryToEnter(Entry* entry, std::unique_lock<std::mutex>& lock) {
  if (draining_) return Unavailable("the server is stopping");
  if (std::optional<Status> given_up = entry->session->GivenUp()) return given_up;
  Status full = ResourceExhausted("the server is still full");
  if (queue_.front() == entry && open_ < options_.max_sessions) {
    ++open_;
    lock.unlock();
    const Status entered = Enter(*entry->session);
    lock.lock();
    if (entered.ok()) return entered;
    --open_;
    if (entered.code() != StatusCode::kResourceExhausted) return entered;
    full = entered;
  }
  if (SystemClock::Get().Now() < *entry->waits_until) return std::nullopt;
  const auto index = static_cast<size_t>(std::ranges::find(queue_, entry) - queue_.begin());
  const PlaceInQueue place = PlaceAt(index + 1);
  entry->door.on_full(place);
  return Full(full, place);
}

void SessionHost::Run(Entry* entry) {
  Status admitted;
  if (entry->waits_until) {
    LogInfo("{} waits to be let in", entry->session->id());
    admitted = AwaitPlace(entry);
  }
  if (admitted.ok()) {
    const TimePoint began = SystemClock::Get().Now();
    entry->session->Run([this, began] {
      const double ms = Milliseconds(SystemClock::Get().Now() - began);
      const std::lock_guard lock(mutex_);
      --open_;
      mean_session_ms_ = mean_session_ms_ == 0 ? ms : kMeanFade * mean_session_ms_ + (1 - kMeanFade) * ms;
      changed_.notify_all();
    });
  } else {
    LogInfo("{} is refused: {}", entry->session->id(), admitted.ToString());
    metrics_.sessions.Refused(entry->kind, admitted.code());
    entry->session->Refuse(admitted);
  }
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
  changed_.notify_all();  // those who wait are turned away
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
