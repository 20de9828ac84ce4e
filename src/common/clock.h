// Time as a seam: whoever has deadlines takes a Clock, so that tests can move time by hand.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "antiphon/types.h"

namespace antiphon {

using Nanoseconds = std::chrono::nanoseconds;

// Moments are TimePoints (antiphon/types.h): on an arbitrary origin, never going back, comparable within one
// process. Every method may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
  // Returns no earlier than `deadline`, at once if that has passed.
  virtual void SleepUntil(TimePoint deadline) = 0;
};

// The machine's monotonic clock.
class SystemClock final : public Clock {
 public:
  TimePoint Now() const override;
  void SleepUntil(TimePoint deadline) override;

  // One for the whole process; never destroyed.
  static SystemClock& Get();
};

// A clock that stands still until told otherwise. SleepUntil does not block: it moves the clock to the
// deadline.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(TimePoint start = TimePoint{}) : now_(start.time_since_epoch().count()) {}

  TimePoint Now() const override;
  void SleepUntil(TimePoint deadline) override;
  // REQUIRES: duration >= 0.
  void Advance(Nanoseconds duration);

 private:
  std::atomic<int64_t> now_;  // ns
};

// How long so many samples last. REQUIRES: rate > 0.
constexpr Nanoseconds DurationOf(uint64_t samples, int rate) {
  const auto per_second = static_cast<uint64_t>(rate);
  return std::chrono::seconds(samples / per_second) +
         Nanoseconds(static_cast<int64_t>(samples % per_second * 1'000'000'000 / per_second));
}

inline double Milliseconds(Nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace antiphon
