#include "common/clock.h"

#include <thread>

namespace antiphon {

TimePoint SystemClock::Now() const { return std::chrono::steady_clock::now(); }

void SystemClock::SleepUntil(TimePoint deadline) { std::this_thread::sleep_until(deadline); }

SystemClock& SystemClock::Get() {
  static auto* const clock = new SystemClock;
  return *clock;
}

TimePoint ManualClock::Now() const { return TimePoint{Nanoseconds{now_.load()}}; }

void ManualClock::SleepUntil(TimePoint deadline) {
  const int64_t target = deadline.time_since_epoch().count();
  int64_t now = now_.load();
  while (now < target && !now_.compare_exchange_weak(now, target)) {
  }
}

void ManualClock::Advance(Nanoseconds duration) { now_.fetch_add(duration.count()); }

}  // namespace antiphon
