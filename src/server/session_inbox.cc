#include "server/session_inbox.h"

#include <string>
#include <utility>

namespace antiphon {

bool SessionInbox::PushClient(ClientEvent event, size_t bytes) {
  bool read_on = true;
  {
    const std::lock_guard lock(mutex_);
    client_.push_back({std::move(event), bytes});
    client_bytes_ += bytes;
    // The reader has one read at a time under way, so at most one message comes on top of this.
    read_on = client_.size() < limits_.client_events && client_bytes_ < limits_.client_bytes;
    paused_ = !read_on;
  }
  changed_.notify_one();
  return read_on;
}

void SessionInbox::PushHalfClose() {
  {
    const std::lock_guard lock(mutex_);
    client_.push_back({HalfClose{}, 0});
  }
  changed_.notify_one();
}

void SessionInbox::PushEngine(uint64_t turn, SequenceEvent event) {
  {
    const std::lock_guard lock(mutex_);
    if (results_.size() < limits_.engine_events) {
      results_.push_back(EngineInput{turn, std::move(event)});
    } else if (!abort_) {
      abort_ = ResourceExhausted("the session cannot keep up with its model: " +
                                 std::to_string(limits_.engine_events) + " results wait");
    }
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

void SessionInbox::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
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

SessionInbox::Batch SessionInbox::Wait(TimePoint deadline, bool accepts_client) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline, [&] {
    return !results_.empty() || (accepts_client && !client_.empty()) || abort_ ||
           (draining_ && !drain_seen_) || woken_;
  });
  drain_seen_ = draining_;
  woken_ = false;
  return {client_.size(), std::exchange(results_, {}), draining_, abort_};
}

SessionInbox::Taken SessionInbox::TakeClient() {
  const std::lock_guard lock(mutex_);
  Taken taken{std::move(client_.front().input), false};
  client_bytes_ -= client_.front().bytes;
  client_.pop_front();
  // At half, so that a client that is ahead does not stop and start the reader with every event.
  if (2 * client_.size() <= limits_.client_events && 2 * client_bytes_ <= limits_.client_bytes) {
    taken.resume_reading = std::exchange(paused_, false);
  }
  return taken;
}

}  // namespace antiphon
