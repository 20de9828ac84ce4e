// Wakes the engine's thread when there is something to look at.
#pragma once

#include <condition_variable>
#include <mutex>

namespace antiphon {

// A bell: rung by any thread, waited for by one. Ringing it while nobody waits is remembered, once.
class WakeUp {
 public:
  void Ring() {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    condition_.notify_one();
  }

  void Wait() {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool rung_ = false;  // guarded by mutex_
};

}  // namespace antiphon
