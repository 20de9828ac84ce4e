#include "common/bounded_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

TEST(BoundedQueueTest, KeepsOrder) {
  BoundedQueue<int> queue(3);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.TryPush(int{i}).ok());
  EXPECT_EQ(queue.size(), 3u);
  EXPECT_EQ(queue.Pop(), 0);
  EXPECT_EQ(queue.PopAll(), (std::vector<int>{1, 2}));
  EXPECT_TRUE(queue.PopAll().empty());
}

TEST(BoundedQueueTest, AFullQueueRefusesAndLeavesTheItemToTheCaller) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  ASSERT_TRUE(queue.TryPush(std::make_unique<int>(1)).ok());
  auto second = std::make_unique<int>(2);
  EXPECT_EQ(queue.TryPush(std::move(second)).code(), StatusCode::kResourceExhausted);
  ASSERT_NE(second, nullptr);  // NOLINT(bugprone-use-after-move): that is the contract
  EXPECT_EQ(**queue.Pop(), 1);
  EXPECT_TRUE(queue.TryPush(std::move(second)).ok());
}

TEST(BoundedQueueTest, AClosedQueueRefusesButCanBeDrained) {
  BoundedQueue<int> queue(2);
  ASSERT_TRUE(queue.TryPush(7).ok());
  queue.Close();
  queue.Close();
  EXPECT_TRUE(queue.closed());
  EXPECT_EQ(queue.TryPush(8).code(), StatusCode::kUnavailable);
  EXPECT_EQ(queue.Push(8).code(), StatusCode::kUnavailable);
  EXPECT_EQ(queue.Pop(), 7);
  EXPECT_EQ(queue.Pop(), std::nullopt);
}

TEST(BoundedQueueTest, CloseWakesAWaitingConsumer) {
  BoundedQueue<int> queue(1);
  std::atomic<bool> woken = false;
  std::thread consumer([&] { woken = queue.Pop() == std::nullopt; });
  std::this_thread::sleep_for(milliseconds(10));
  queue.Close();
  consumer.join();
  EXPECT_TRUE(woken);
}

TEST(BoundedQueueTest, CloseWakesAWaitingProducer) {
  BoundedQueue<int> queue(1);
  ASSERT_TRUE(queue.TryPush(1).ok());
  StatusCode code = StatusCode::kOk;
  std::thread producer([&] { code = queue.Push(2).code(); });
  std::this_thread::sleep_for(milliseconds(10));
  queue.Close();
  producer.join();
  EXPECT_EQ(code, StatusCode::kUnavailable);
}

TEST(BoundedQueueTest, TimedWaitEndsAtTheDeadlineAtAnItemAndAtClose) {
  BoundedQueue<int> queue(1);
  const auto start = steady_clock::now();
  EXPECT_TRUE(queue.WaitPopAll(start + milliseconds(20)).empty());
  EXPECT_GE(steady_clock::now() - start, milliseconds(20));

  ASSERT_TRUE(queue.TryPush(4).ok());
  EXPECT_EQ(queue.WaitPopAll(steady_clock::now() + seconds(60)), std::vector<int>{4});

  std::thread closer([&] {
    std::this_thread::sleep_for(milliseconds(10));
    queue.Close();
  });
  const auto before = steady_clock::now();
  EXPECT_TRUE(queue.WaitPopAll(before + seconds(60)).empty());
  EXPECT_LT(steady_clock::now() - before, seconds(30));
  closer.join();
}

TEST(BoundedQueueTest, ManyProducersLoseNothingAndStayInTheLimit) {
  constexpr int kProducers = 4;
  constexpr int kEach = 2000;
  BoundedQueue<int> queue(8);
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&queue, p] {
      for (int i = 0; i < kEach; ++i) ASSERT_TRUE(queue.Push(p * kEach + i).ok());
    });
  }
  std::vector<int> seen;
  std::vector<int> last(kProducers, -1);
  while (seen.size() < size_t{kProducers} * kEach) {
    for (const int item : queue.WaitPopAll(steady_clock::now() + seconds(30))) {
      EXPECT_GT(item, last[static_cast<size_t>(item / kEach)]);  // each producer's items in its order
      last[static_cast<size_t>(item / kEach)] = item;
      seen.push_back(item);
    }
    EXPECT_LE(queue.size(), queue.capacity());
  }
  for (auto& producer : producers) producer.join();
  std::sort(seen.begin(), seen.end());
  for (size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], static_cast<int>(i));
}

}  // namespace
}  // namespace antiphon
