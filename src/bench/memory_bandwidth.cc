#include "bench/memory_bandwidth.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

namespace antiphon::bench {
namespace {

// Sixteen sums, so that the additions never wait for each other and the loop becomes vector loads.
uint64_t Sum(std::span<const uint64_t> words) {
  uint64_t sums[16] = {};
  size_t i = 0;
  for (; i + 16 <= words.size(); i += 16) {
    for (size_t k = 0; k < 16; ++k) sums[k] += words[i + k];
  }
  uint64_t sum = 0;
  for (const uint64_t s : sums) sum += s;
  for (; i < words.size(); ++i) sum += words[i];
  return sum;
}

}  // namespace

Bandwidth MeasureReadBandwidth(size_t bytes, int threads, int passes) {
  const std::vector<uint64_t> buffer(std::max<size_t>(bytes / sizeof(uint64_t), 1), 1);
  const size_t share = (buffer.size() + static_cast<size_t>(threads) - 1) / static_cast<size_t>(threads);
  std::atomic<uint64_t> sink = 0;  // keeps the reads from being optimised away
  // Each reader keeps its own time: the one who waits for them may wake when they are done already.
  using Moment = std::chrono::steady_clock::time_point;
  std::vector<Moment> began(static_cast<size_t>(threads)), ended(static_cast<size_t>(threads));
  std::barrier barrier(threads + 1);
  std::vector<std::thread> readers;
  for (int t = 0; t < threads; ++t) {
    readers.emplace_back([&, t] {
      const size_t begin = std::min(buffer.size(), share * static_cast<size_t>(t));
      const auto mine = std::span(buffer).subspan(begin, std::min(share, buffer.size() - begin));
      for (int pass = 0; pass < passes; ++pass) {
        barrier.arrive_and_wait();
        began[static_cast<size_t>(t)] = std::chrono::steady_clock::now();
        sink += Sum(mine);
        ended[static_cast<size_t>(t)] = std::chrono::steady_clock::now();
        barrier.arrive_and_wait();
      }
    });
  }
  std::vector<double> rates;
  for (int pass = 0; pass < passes; ++pass) {
    barrier.arrive_and_wait();
    barrier.arrive_and_wait();
    const std::chrono::duration<double> elapsed = std::ranges::max(ended) - std::ranges::min(began);
    rates.push_back(static_cast<double>(buffer.size() * sizeof(uint64_t)) / elapsed.count() / 1e9);
  }
  for (std::thread& reader : readers) reader.join();
  std::ranges::sort(rates);
  return {rates[rates.size() / 2], rates.front(), rates.back()};
}

}  // namespace antiphon::bench
