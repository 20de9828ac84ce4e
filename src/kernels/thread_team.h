// A few threads that share one loop at a time with the thread that owns them.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace antiphon {

// After a loop its threads stay awake for 50 us, giving way to whoever wants their core, because the next
// product of a layer follows at once; then they sleep. A thread that is slow to wake costs nothing but its
// help: parts are taken one by one, and the owner takes them all if nobody else does. Run allocates nothing.
// Thread rule: one owner at a time calls Run.
class ThreadTeam {
 public:
  // `threads` in all, the owner among them. REQUIRES: at least 1. Throws std::system_error when a thread
  // cannot be started.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int threads() const { return static_cast<int>(others_.size()) + 1; }

  // Calls work(part) once for each part of [0, parts), on any of the threads, and returns when
  // all have returned. Parts are begun in order. `work` must not throw and must not call Run.
  template <typename Work>
  void Run(int parts, const Work& work) {
    RunParts(
        parts, [](const void* erased, int part) { (*static_cast<const Work*>(erased))(part); }, &work);
  }

 private:
  using Call = void (*)(const void* work, int part);

  void RunParts(int parts, Call call, const void* work);
  bool RunOnePart();
  void Help();
  void Stop();

  // Of the loop under way: written by the owner while no part is left, read by whoever took a part.
  Call call_ = nullptr;
  const void* work_ = nullptr;
  int parts_ = 0;
  std::atomic<int> untaken_ = 0;     // parts nobody has taken
  std::atomic<int> unfinished_ = 0;  // parts that have not returned
  std::atomic<int> calls_ = 0;       // of Run, wrapping: what sleeping threads watch
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> others_;
};

// While it lives, kernels on this thread may share their work with `team`, which must outlive it.
class ThreadTeamScope {
 public:
  explicit ThreadTeamScope(ThreadTeam* team);
  ~ThreadTeamScope();
  ThreadTeamScope(const ThreadTeamScope&) = delete;
  ThreadTeamScope& operator=(const ThreadTeamScope&) = delete;

  // This thread's; null when there is none.
  static ThreadTeam* Current();

 private:
  ThreadTeam* const outer_;
};

}  // namespace antiphon
