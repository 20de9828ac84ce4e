// Events on their way from gRPC's thread to the application's, with back-pressure instead of a limit that
// loses some.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

#include "antiphon/client.h"

namespace antiphon::client {

// One producer, one consumer.
class EventQueue {
 public:
  // REQUIRES: capacity > 0.
  explicit EventQueue(size_t capacity) : capacity_(capacity) {}

  // Never refuses. False when the queue is now full: the producer must stop until a Pop says `resume`.
  [[nodiscard]] bool Push(Event event);

  struct Popped {
    std::optional<Event> event;  // none: the time was over
    bool resume = false;         // the producer was stopped and may go on
  };
  Popped Pop(std::chrono::nanoseconds timeout);

  // Drops everything, now and from now on. True when the producer was stopped and may go on.
  [[nodiscard]] bool Discard();

 private:
  const size_t capacity_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable pushed_;
  std::deque<Event> events_;
  bool stopped_ = false;
  bool discarding_ = false;
};

}  // namespace antiphon::client
