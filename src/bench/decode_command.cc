// `antiphon-bench decode`: steps of a model with random weights that write one symbol for each of some
// sequences, against the time it takes to read the weights and the pages once.
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/allocations.h"
#include "bench/commands.h"
#include "bench/decoding.h"
#include "bench/model_options.h"
#include "bench/output.h"
#include "bench/random_model.h"
#include "bench/statistics.h"
#include "kernels/thread_team.h"

namespace antiphon::bench {
namespace {

constexpr int kWarmUpSteps = 4;

struct Arguments {
  ModelOptions model;
  std::vector<int> sequences = {1};
  std::vector<int64_t> contexts = {64};
  int steps = 96;
};

struct Measured {
  LatencySummary steps;    // ms
  LatencySummary medians;  // of each repeat
  MemoryUse memory;        // of all steps
  int64_t page_bytes = 0;  // of the step in the middle
};

int64_t AvailableMemory() {
  std::ifstream info("/proc/meminfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("MemAvailable:")) return std::stoll(line.substr(line.find(':') + 1)) * 1024;
  }
  return INT64_MAX;
}

Measured Measure(const LanguageModel& model, int sequences, int64_t context, const Arguments& arguments) {
  Decoding decoding(model, sequences, context, kWarmUpSteps + arguments.steps);
  Measured measured;
  for (int repeat = 0; repeat < arguments.model.repeats; ++repeat) {
    decoding.Rewind();
    for (int i = 0; i < kWarmUpSteps; ++i) decoding.Step();
    LatencySummary steps;
    std::vector<double> took(static_cast<size_t>(arguments.steps));
    const MemoryUse before = MemoryUsedSoFar();
    for (int i = 0; i < arguments.steps; ++i) {
      if (i == arguments.steps / 2) measured.page_bytes = decoding.PageBytes();
      const auto start = std::chrono::steady_clock::now();
      decoding.Step();
      const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
      took[static_cast<size_t>(i)] = elapsed.count();
    }
    const MemoryUse used = MemoryUsedSoFar() - before;
    measured.memory.allocations += used.allocations;
    measured.memory.page_faults += used.page_faults;
    for (const double ms : took) steps.Add(ms);
    measured.steps.Merge(steps);
    measured.medians.Add(steps.Percentile(50));
  }
  return measured;
}

nlohmann::json ResultJson(const Measured& measured, int sequences, int64_t weight_bytes, const Floor& floor) {
  const double median = measured.steps.Percentile(50);
  const auto steps = static_cast<double>(measured.steps.count());
  const int64_t bytes = weight_bytes + measured.page_bytes;
  nlohmann::json result = {
      {"sequences", sequences},
      {"step_ms", SummaryJson(measured.steps)},
      {"median_of_repeats_ms", {measured.medians.Percentile(1e-6), measured.medians.Max()}},
      {"tokens_per_second", sequences / median * 1e3},
      {"weight_bytes", weight_bytes},
      {"page_bytes", measured.page_bytes},
      {"gigabytes_per_second", static_cast<double>(bytes) / median / 1e6},
      {"allocations_per_step", static_cast<double>(measured.memory.allocations) / steps},
      {"page_faults_per_step", static_cast<double>(measured.memory.page_faults) / steps}};
  if (floor.measured()) {
    result["floor_ms"] = floor.Ms(bytes);
    result["fraction_of_floor"] = floor.Ms(bytes) / median;
  }
  return result;
}

std::string Head() {
  return fmt::format("{:<6}{:<5}{:>5}{:>8}{:>10}{:>8}{:>8}{:>20}{:>9}{:>8}{:>8}{:>7}{:>9}{:>7}{:>7}\n",
                     "shape", "form", "seqs", "context", "median ms", "min", "p95", "repeats' medians",
                     "tokens/s", "MB", "+ pages", "GB/s", "of floor", "allocs", "faults");
}

std::string Line(const nlohmann::json& result) {
  const auto number = [&](const char* key) { return result.at(key).get<double>(); };
  const nlohmann::json& ms = result.at("step_ms");
  const nlohmann::json& spread = result.at("median_of_repeats_ms");
  const std::string of_floor =
      result.contains("fraction_of_floor") ? fmt::format("{:.0f} %", 100 * number("fraction_of_floor")) : "";
  return fmt::format(
      "{:<6}{:<5}{:>5}{:>8}{:>10.2f}{:>8.2f}{:>8.2f}{:>20}{:>9.1f}{:>8.1f}{:>8.1f}{:>7.1f}{:>9}{:>7.0f}{:>7."
      "0f}\n",
      result.at("shape").get<std::string>(), result.at("weights").get<std::string>(),
      result.at("sequences").get<int>(), result.at("context").get<int64_t>(), ms.at("median").get<double>(),
      ms.at("min").get<double>(), ms.at("p95").get<double>(),
      fmt::format("{:.2f} to {:.2f}", spread.at(0).get<double>(), spread.at(1).get<double>()),
      number("tokens_per_second"), number("weight_bytes") / 1e6, number("page_bytes") / 1e6,
      number("gigabytes_per_second"), of_floor, number("allocations_per_step"),
      number("page_faults_per_step"));
}

// The results of one model, one line each.
Status MeasureModel(const std::string& name, const std::string& weights, const Arguments& arguments,
                    nlohmann::json* results) {
  const Result<ModelShape> shape = FindModelShape(name);
  if (!shape.ok()) return shape.status();
  const Result<RandomModel> loaded =
      LoadRandomModel(*shape, RandomWeightsNamed(weights), arguments.model.seed);
  if (!loaded.ok()) return loaded.status();
  const LanguageModel& model = *loaded->model;
  for (const int64_t context : arguments.contexts) {
    // The longest contexts end, not begin, where the model does.
    const int64_t steps = kWarmUpSteps + arguments.steps;
    const int64_t first = std::min(context, model.config().max_positions - steps);
    for (const int sequences : arguments.sequences) {
      const int64_t pool = Decoding::PoolBytes(model, sequences, first, steps);
      if (pool > AvailableMemory()) {
        return InvalidArgument(fmt::format(
            "--sequences {} with --contexts {} needs {:.1f} GB of pages; {:.1f} GB are available", sequences,
            context, static_cast<double>(pool) / 1e9, static_cast<double>(AvailableMemory()) / 1e9));
      }
      Floor floor(arguments.model, loaded->step_bytes);
      const Measured measured = Measure(model, sequences, first, arguments);
      floor.MeasureAgain();
      nlohmann::json result = ResultJson(measured, sequences, loaded->step_bytes, floor);
      result["shape"] = name;
      result["weights"] = weights;
      result["context"] = first;
      result["read_gigabytes_per_second"] = floor.Json();
      std::fputs(Line(result).c_str(), stdout);
      std::fflush(stdout);
      results->push_back(std::move(result));
    }
  }
  return OkStatus();
}

Status Run(const Arguments& arguments) {
  const int threads = arguments.model.used_threads();
  const c10::InferenceMode inference;
  at::set_num_threads(threads);
  ThreadTeam team(threads);
  const ThreadTeamScope scope(&team);
  nlohmann::json report = ReportHead(arguments.model);
  report["steps"] = arguments.steps;
  nlohmann::json results = nlohmann::json::array();
  std::fputs((fmt::format("{} threads, {} repeats of {} steps\n\n", threads, arguments.model.repeats,
                          arguments.steps) +
              Head())
                 .c_str(),
             stdout);
  for (const std::string& shape : arguments.model.shapes) {
    for (const std::string& weights : arguments.model.weights) {
      if (Status status = MeasureModel(shape, weights, arguments, &results); !status.ok()) return status;
    }
  }
  report["results"] = std::move(results);
  return WriteReport(report, arguments.model.json);
}

}  // namespace

Command AddDecodeCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  AddModelOptions(app, &arguments->model);
  app.add_option("--sequences", arguments->sequences, "That are decoded together")
      ->delimiter(',')
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--contexts,--context", arguments->contexts, "Positions of each before the first step")
      ->delimiter(',')
      ->check(CLI::Range(1, 131'072))
      ->capture_default_str();
  app.add_option("--steps", arguments->steps, "Of each repeat")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
