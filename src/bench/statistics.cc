#include "bench/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

namespace antiphon::bench {
namespace {

double Rounded(double ms) { return std::round(ms * 1000) / 1000; }

}  // namespace

nlohmann::json SummaryJson(const LatencySummary& summary) {
  if (summary.count() == 0) return nullptr;
  return {{"count", summary.count()},
          {"median", Rounded(summary.Percentile(50))},
          {"p95", Rounded(summary.Percentile(95))},
          {"p99", Rounded(summary.Percentile(99))},
          {"min", Rounded(summary.Percentile(1e-6))},  // the nearest rank is the first
          {"max", Rounded(summary.Max())}};
}

std::string SummaryHead() {
  return fmt::format("{:<38}{:>7}{:>9}{:>9}{:>9}{:>9}{:>9}\n", "ms", "count", "median", "p95", "p99", "min",
                     "max");
}

std::string SummaryLine(const std::string& name, const nlohmann::json& summary) {
  if (summary.is_null()) return {};
  const auto value = [&](const char* key) { return summary.at(key).get<double>(); };
  return fmt::format("{:<38}{:>7}{:>9.1f}{:>9.1f}{:>9.1f}{:>9.1f}{:>9.1f}\n", name,
                     summary.at("count").get<int>(), value("median"), value("p95"), value("p99"),
                     value("min"), value("max"));
}

nlohmann::json MachineJson() {
  std::string processor = "unknown";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (!line.starts_with("model name")) continue;
    processor = line.substr(std::min(line.size(), line.find(':') + 2));
    break;
  }
  return {{"processor", processor}, {"cores", std::thread::hardware_concurrency()}};
}

int UsedThreads(int asked) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return asked > 0 ? asked : std::min(cores, 4);
}

}  // namespace antiphon::bench
