// A queue with a limit between threads: many producers, one consumer.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon {

// First in, first out. A full queue refuses (TryPush) or holds its producer (Push); it never grows past its
// capacity. Close() wakes everybody: producers get UNAVAILABLE, the consumer first drains what is left.
//
// Thread rule: any number of threads may push; one thread at a time pops; Close and the accessors from any
// thread.
template <typename T>
class BoundedQueue {
 public:
  // REQUIRES: capacity > 0.
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  // Never blocks. RESOURCE_EXHAUSTED when full, UNAVAILABLE when closed; in both cases `item` is untouched
  // and still the caller's.
  Status TryPush(T&& item) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return ClosedStatus();
      if (items_.size() >= capacity_) {
        return ResourceExhausted("queue is full (" + std::to_string(capacity_) + " items)");
      }
      items_.push_back(std::move(item));
    }
    not_empty_.notify_one();
    return OkStatus();
  }

  // Waits for room. UNAVAILABLE when closed, before or while waiting; `item` is then still the caller's.
  Status Push(T&& item) {
    {
      std::unique_lock lock(mutex_);
      not_full_.wait(lock, [this] { return closed_ || items_.size() < capacity_; });
      if (closed_) return ClosedStatus();
      items_.push_back(std::move(item));
    }
    not_empty_.notify_one();
    return OkStatus();
  }

  // Waits for an item. Nothing when the queue is closed and drained.
  std::optional<T> Pop() {
    std::optional<T> item;
    {
      std::unique_lock lock(mutex_);
      not_empty_.wait(lock, [this] { return closed_ || !items_.empty(); });
      if (items_.empty()) return item;
      item.emplace(std::move(items_.front()));
      items_.pop_front();
    }
    not_full_.notify_one();
    return item;
  }

  // Everything there is now, oldest first, without waiting. May be empty.
  std::vector<T> PopAll() {
    std::deque<T> taken;
    {
      const std::lock_guard lock(mutex_);
      taken.swap(items_);
    }
    if (!taken.empty()) not_full_.notify_all();
    return {std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end())};
  }

  // Waits until there is an item, the queue is closed or `deadline` has passed; then as PopAll(). Returns at
  // once when woken by Close().
  std::vector<T> WaitPopAll(TimePoint deadline) {
    {
      std::unique_lock lock(mutex_);
      not_empty_.wait_until(lock, deadline, [this] { return closed_ || !items_.empty(); });
    }
    return PopAll();  // one consumer: nobody can have taken them in between
  }

  // No more pushes. May be called again without effect.
  void Close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    not_empty_.notify_all();
    not_full_.notify_all();
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }
  size_t capacity() const { return capacity_; }

 private:
  static Status ClosedStatus() { return Unavailable("queue is closed"); }

  const size_t capacity_;

  mutable std::mutex mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<T> items_;  // guarded by mutex_
  bool closed_ = false;  // guarded by mutex_
};

}  // namespace antiphon
