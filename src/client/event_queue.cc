#include "client/event_queue.h"

#include <utility>

namespace antiphon::client {

bool EventQueue::Push(Event event) {
  const std::lock_guard lock(mutex_);
  if (discarding_) return true;
  events_.push_back(std::move(event));
  pushed_.notify_one();
  stopped_ = events_.size() >= capacity_;
  return !stopped_;
}

EventQueue::Popped EventQueue::Pop(std::chrono::nanoseconds timeout) {
  std::unique_lock lock(mutex_);
  Popped popped;
  if (!pushed_.wait_for(lock, timeout, [this] { return !events_.empty(); })) return popped;
  popped.event = std::move(events_.front());
  events_.pop_front();
  // Half, so that a full queue does not stop and start the producer with every event.
  if (stopped_ && events_.size() <= capacity_ / 2) {
    stopped_ = false;
    popped.resume = true;
  }
  return popped;
}

bool EventQueue::Discard() {
  const std::lock_guard lock(mutex_);
  events_.clear();
  discarding_ = true;
  return std::exchange(stopped_, false);
}

}  // namespace antiphon::client
