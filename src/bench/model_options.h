// What the benchmarks of random models have in common on the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "antiphon/status.h"
#include "bench/memory_bandwidth.h"

namespace antiphon::bench {

struct ModelOptions {
  std::vector<std::string> shapes = {"b0.4"};
  std::vector<std::string> weights = {"int8", "bf16"};
  int threads = 0;  // 0: one a core, at most 4
  int repeats = 3;
  bool bandwidth = false;
  uint64_t seed = 1;
  std::string json;

  int used_threads() const;
};

// --shape, --weights, --threads, --repeats, --bandwidth, --seed and --json fill `options`, which outlives the
// parsing.
void AddModelOptions(CLI::App& app, ModelOptions* options);

// The read bandwidth of the machine, when it is asked for: measured before and after what it is compared
// with, so that a machine that slows down meanwhile is seen. The floor is the faster of the two.
class Floor {
 public:
  Floor(const ModelOptions& options, int64_t bytes);
  void MeasureAgain();

  bool measured() const { return wanted_; }
  double gigabytes_per_second() const;
  // Of `bytes` of reading, in ms.
  double Ms(int64_t bytes) const { return static_cast<double>(bytes) / gigabytes_per_second() / 1e6; }
  // [before, after] in GB/s; null if it was not measured.
  nlohmann::json Json() const;

 private:
  const bool wanted_;
  const size_t bytes_;
  const int threads_;
  std::vector<Bandwidth> measured_;
};

// The JSON head of a report: the machine, the threads, the kernels, the options.
nlohmann::json ReportHead(const ModelOptions& options);

}  // namespace antiphon::bench
