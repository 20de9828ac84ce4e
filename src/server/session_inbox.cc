#include "server/session_inbox.h"

#include <utility>

namespace antiphon {

SessionInbox::SessionInbox(size_t max_client_events, size_t max_engine_events)
    : max_client_events_(max_client_events), max_engine_events_(max_engine_events) {}

bool SessionInbox::PushClient(ClientEvent event) {
  bool read_on = true;
  {
    const std::lock_guard lock(mutex_);
    inputs_.push_back(std::move(event));
    // The reader has one read at a time under way, so at most this many can wait.
    read_on = ++client_events_ < max_client_events_;
    paused_ = !read_on;
  }
  changed_.notify_one();
  return read_on;
}

void SessionInbox::PushEngine(uint64_t turn, SequenceEvent event) {
  {
    const std::lock_guard lock(mutex_);
    if (engine_events_ == max_engine_events_) {
      if (!abort_)
        abort_ = ResourceExhausted("the session cannot keep up with its model: " +
                                   std::to_string(max_engine_events_) + " results wait");
    } else {
      inputs_.push_back(EngineInput{turn, std::move(event)});
      ++engine_events_;
    }
  }
  changed_.notify_one();
}

void SessionInbox::PushHalfClose() {
  {
    const std::lock_guard lock(mutex_);
    inputs_.push_back(HalfClose{});
  }
  changed_.notify_one();
}

void SessionInbox::Abort(Status status) {
  {
    const std::lock_guard lock(mutex_);
    if (!abort_) abort_ = std::move(status);
  }
  changed_.notify_one();
}

void SessionInbox::Drain() {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  changed_.notify_one();
}

SessionInbox::Batch SessionInbox::Wait(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline,
                      [this] { return !inputs_.empty() || abort_ || (draining_ && !drain_seen_); });
  drain_seen_ = draining_;
  Batch batch{std::exchange(inputs_, {}), std::exchange(paused_, false), draining_, abort_};
  client_events_ = 0;
  engine_events_ = 0;
  return batch;
}

}  // namespace antiphon
