// Where the owner of a replay and the engine's thread meet.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "antiphon/replay.h"
#include "antiphon/types.h"

namespace antiphon {

// Thread-safe.
class ReplayTicket {
 public:
  // Nobody wants it any more, or it has an outcome.
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return outcome_.has_value();
  }
  // The first outcome counts.
  void Finish(ReplayOutcome outcome) {
    {
      const std::lock_guard lock(mutex_);
      if (outcome_) return;
      outcome_ = std::move(outcome);
    }
    finished_.notify_all();
  }
  std::optional<ReplayOutcome> Wait(TimePoint until) const {
    std::unique_lock lock(mutex_);
    finished_.wait_until(lock, until, [this] { return outcome_.has_value(); });
    return outcome_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable finished_;
  std::optional<ReplayOutcome> outcome_;  // guarded by mutex_
};

}  // namespace antiphon
