#include "kernels/thread_team.h"

#include <chrono>

namespace antiphon {
namespace {

constexpr std::chrono::microseconds kAwake{50};

thread_local ThreadTeam* current = nullptr;

// True as soon as `done` is, false after kAwake.
template <typename Done>
bool WaitAwake(const Done& done) {
  const auto until = std::chrono::steady_clock::now() + kAwake;
  while (!done()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace

ThreadTeam::ThreadTeam(int threads) {
  try {
    for (int i = 1; i < threads; ++i) others_.emplace_back([this] { Help(); });
  } catch (...) {
    Stop();
    throw;
  }
}

ThreadTeam::~ThreadTeam() { Stop(); }

void ThreadTeam::Stop() {
  stopping_.store(true, std::memory_order_relaxed);
  calls_.fetch_add(1, std::memory_order_release);
  calls_.notify_all();
  for (std::thread& thread : others_) thread.join();
}

void ThreadTeam::RunParts(int parts, Call call, const void* work) {
  call_ = call;
  work_ = work;
  parts_ = parts;
  unfinished_.store(parts, std::memory_order_relaxed);
  untaken_.store(parts, std::memory_order_release);
  calls_.fetch_add(1, std::memory_order_release);
  calls_.notify_all();
  while (RunOnePart()) {
  }
  const auto finished = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (WaitAwake(finished)) return;
  while (!finished()) {
    const int left = unfinished_.load(std::memory_order_acquire);
    if (left > 0) unfinished_.wait(left, std::memory_order_acquire);
  }
}

// Whoever takes a part holds back the owner until the part is finished, so what was read of the loop after
// taking it is of that loop.
bool ThreadTeam::RunOnePart() {
  int left = untaken_.load(std::memory_order_relaxed);
  do {
    if (left <= 0) return false;
  } while (
      !untaken_.compare_exchange_weak(left, left - 1, std::memory_order_acquire, std::memory_order_relaxed));
  call_(work_, parts_ - left);  // in order, as memory is read ahead
  if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
  return true;
}

void ThreadTeam::Help() {
  while (true) {
    const int seen = calls_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    while (RunOnePart()) {
    }
    if (!WaitAwake([&] { return calls_.load(std::memory_order_relaxed) != seen; })) {
      calls_.wait(seen, std::memory_order_acquire);
    }
  }
}

ThreadTeamScope::ThreadTeamScope(ThreadTeam* team) : outer_(current) { current = team; }

ThreadTeamScope::~ThreadTeamScope() { current = outer_; }

ThreadTeam* ThreadTeamScope::Current() { return current; }

}  // namespace antiphon
