// A conversation in real time beside a long context: it hears for a while, speaks for a while, and again.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "common/latency_summary.h"

namespace antiphon::bench {

// What happened to its frames, in ms.
struct ContextSessionTimes {
  LatencySummary heard;        // from a frame's arrival to its having been run
  LatencySummary first_audio;  // from the end of a turn
  LatencySummary spoken_late;  // a spoken frame behind the moment when it should have been played; 0: in time
  int64_t heard_late = 0;      // frames that took longer than one lasts
  int64_t spoken_late_count = 0;  // ... that were not in time
  int64_t turns = 0;
  Status failure;  // the first
};

// Runs in a thread of its own from construction until Stop. Turns end by commit: what is heard is noise.
class ContextSession {
 public:
  // `engine` outlives it. `seed` makes its noise another's.
  ContextSession(Engine& engine, uint64_t seed);
  ~ContextSession();
  // Returns what was measured. Call once.
  ContextSessionTimes Stop();

 private:
  void Run();
  bool Open();
  bool Hear();
  bool Speak();
  bool SleepUntil(TimePoint until);
  void On(const SequenceEvent& event);
  void Fail(const Status& status);

  Engine& engine_;
  const uint64_t seed_;
  const Nanoseconds frame_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  bool stop_ = false;
  ContextSessionTimes times_;
  std::deque<TimePoint> hearing_;  // when frames came that have not been run
  TimePoint turn_end_{};
  TimePoint first_frame_{};
  int frames_ = 0;  // of the response
  int positions_ = 0;
  bool done_ = true;

  std::unique_ptr<Sequence> sequence_;  // the thread's
  std::thread thread_;
};

}  // namespace antiphon::bench
