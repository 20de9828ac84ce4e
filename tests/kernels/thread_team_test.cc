#include "kernels/thread_team.h"

#include <gtest/gtest.h>

#include <latch>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace antiphon {
namespace {

TEST(ThreadTeam, EveryPartIsRunOnceAndSeenByTheOwner) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadTeam team(threads);
    EXPECT_EQ(team.threads(), threads);
    std::vector<int> runs(100);  // plain integers: what the threads wrote is visible when Run returns
    int expected = 0, calls = 0;
    for (int call = 0; call < 2000; ++call) {
      const int parts = call % 101;
      team.Run(parts, [&](int part) { ++runs[static_cast<size_t>(part)]; });
      expected += parts;
      calls += parts > 0 ? 1 : 0;
    }
    int total = 0;
    for (const int r : runs) total += r;
    EXPECT_EQ(total, expected) << threads;
    EXPECT_EQ(runs[0], calls) << threads;
  }
}

// A loop over memory is read ahead best from its beginning to its end.
TEST(ThreadTeam, PartsAreTakenInOrder) {
  ThreadTeam alone(1);
  std::vector<int> order;
  alone.Run(5, [&](int part) { order.push_back(part); });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

// Three parts that wait for each other need three threads.
TEST(ThreadTeam, AllThreadsHelp) {
  ThreadTeam team(3);
  for (int call = 0; call < 20; ++call) {
    std::latch all_there(3);
    std::mutex mutex;
    std::set<std::thread::id> ids;
    team.Run(3, [&](int) {
      all_there.arrive_and_wait();
      const std::lock_guard lock(mutex);
      ids.insert(std::this_thread::get_id());
    });
    EXPECT_EQ(ids.size(), 3u);
    EXPECT_TRUE(ids.contains(std::this_thread::get_id()));
  }
}

TEST(ThreadTeam, AnIdleTeamEnds) {
  for (int i = 0; i < 50; ++i) ThreadTeam team(4);
}

TEST(ThreadTeamScope, IsOfTheThreadAndNests) {
  ThreadTeam outer(1), inner(1);
  EXPECT_EQ(ThreadTeamScope::Current(), nullptr);
  {
    const ThreadTeamScope first(&outer);
    EXPECT_EQ(ThreadTeamScope::Current(), &outer);
    {
      const ThreadTeamScope second(&inner);
      EXPECT_EQ(ThreadTeamScope::Current(), &inner);
    }
    EXPECT_EQ(ThreadTeamScope::Current(), &outer);
    std::thread([] { EXPECT_EQ(ThreadTeamScope::Current(), nullptr); }).join();
  }
  EXPECT_EQ(ThreadTeamScope::Current(), nullptr);
}

}  // namespace
}  // namespace antiphon
