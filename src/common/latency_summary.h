// Percentiles of measured times, by one definition for every bench and metric.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace antiphon {

// Collects values in milliseconds and answers for the whole set. Thread rule: one thread at a time.
class LatencySummary {
 public:
  void Add(double milliseconds);
  void Merge(const LatencySummary& other);

  size_t count() const { return values_.size(); }
  // All of these are 0 when count() is 0.
  double Mean() const;
  double Max() const;
  // The smallest value that at least `percent` % of all values do not exceed (nearest rank: always a value
  // that was measured). REQUIRES: 0 < percent <= 100.
  double Percentile(double percent) const;

  // "n 120  mean 181.2  p50 176.0  p95 240.9  p99 262.4  max 270.1 ms".
  std::string ToString() const;

 private:
  std::vector<double> values_;  // ms, in the order added
};

}  // namespace antiphon
