#include "common/latency_summary.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace antiphon {

void LatencySummary::Add(double milliseconds) { values_.push_back(milliseconds); }

void LatencySummary::Merge(const LatencySummary& other) {
  values_.insert(values_.end(), other.values_.begin(), other.values_.end());
}

double LatencySummary::Mean() const {
  if (values_.empty()) return 0.0;
  return std::accumulate(values_.begin(), values_.end(), 0.0) / static_cast<double>(values_.size());
}

double LatencySummary::Max() const {
  return values_.empty() ? 0.0 : *std::max_element(values_.begin(), values_.end());
}

double LatencySummary::Percentile(double percent) const {
  if (values_.empty()) return 0.0;
  std::vector<double> sorted = values_;
  const double rank = std::ceil(percent / 100.0 * static_cast<double>(sorted.size()));
  const size_t index = std::clamp<size_t>(static_cast<size_t>(rank), 1, sorted.size()) - 1;
  const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(sorted.begin(), nth, sorted.end());
  return *nth;
}

std::string LatencySummary::ToString() const {
  char text[160];
  std::snprintf(text, sizeof text, "n %zu  mean %.1f  p50 %.1f  p95 %.1f  p99 %.1f  max %.1f ms", count(),
                Mean(), Percentile(50), Percentile(95), Percentile(99), Max());
  return text;
}

}  // namespace antiphon
