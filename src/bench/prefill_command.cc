// `antiphon-bench prefill`: how long a model with random weights takes to read a text.
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
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

struct Arguments {
  ModelOptions model;
  std::vector<int64_t> positions = {256};
  int64_t chunk = 0;
};

nlohmann::json Measure(const RandomModel& loaded, const ModelShape& shape, int64_t positions,
                       const Arguments& arguments) {
  Prefilling prefilling(*loaded.model, positions, arguments.chunk > 0 ? arguments.chunk : positions);
  Floor floor(arguments.model, loaded.step_bytes);
  (void)prefilling.Run();  // warms up
  LatencySummary runs;
  const MemoryUse before = MemoryUsedSoFar();
  for (int repeat = 0; repeat < arguments.model.repeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    (void)prefilling.Run();
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    runs.Add(elapsed.count());
  }
  const MemoryUse used = MemoryUsedSoFar() - before;
  floor.MeasureAgain();
  const double median = runs.Percentile(50);
  // The head is multiplied with the last position of the text only.
  const int64_t layers = shape.multiplications() - shape.width * shape.vocabulary;
  nlohmann::json result = {{"positions", positions},
                           {"chunk", arguments.chunk > 0 ? arguments.chunk : positions},
                           {"ms", SummaryJson(runs)},
                           {"tokens_per_second", static_cast<double>(positions) / median * 1e3},
                           {"gigaflops", 2 * static_cast<double>(layers * positions) / median / 1e6},
                           {"weight_bytes", loaded.step_bytes},
                           {"page_faults", static_cast<double>(used.page_faults) / arguments.model.repeats},
                           {"allocations", static_cast<double>(used.allocations) / arguments.model.repeats},
                           {"read_gigabytes_per_second", floor.Json()}};
  if (floor.measured()) result["floor_ms"] = floor.Ms(loaded.step_bytes);
  return result;
}

std::string Head() {
  return fmt::format("{:<6}{:<5}{:>10}{:>7}{:>11}{:>9}{:>9}{:>9}{:>10}{:>9}{:>9}{:>8}\n", "shape", "form",
                     "positions", "chunk", "median ms", "min", "p95", "max", "tokens/s", "GFLOP/s", "faults",
                     "floor");
}

std::string Line(const nlohmann::json& result) {
  const nlohmann::json& ms = result.at("ms");
  const auto number = [&](const char* key) { return result.at(key).get<double>(); };
  const std::string floor = result.contains("floor_ms") ? fmt::format("{:.1f}", number("floor_ms")) : "";
  return fmt::format("{:<6}{:<5}{:>10}{:>7}{:>11.1f}{:>9.1f}{:>9.1f}{:>9.1f}{:>10.1f}{:>9.1f}{:>9.0f}{:>8}\n",
                     result.at("shape").get<std::string>(), result.at("weights").get<std::string>(),
                     result.at("positions").get<int64_t>(), result.at("chunk").get<int64_t>(),
                     ms.at("median").get<double>(), ms.at("min").get<double>(), ms.at("p95").get<double>(),
                     ms.at("max").get<double>(), number("tokens_per_second"), number("gigaflops"),
                     number("page_faults"), floor);
}

Status Run(const Arguments& arguments) {
  const int threads = arguments.model.used_threads();
  const c10::InferenceMode inference;
  at::set_num_threads(threads);
  ThreadTeam team(threads);
  const ThreadTeamScope scope(&team);
  nlohmann::json report = ReportHead(arguments.model);
  nlohmann::json results = nlohmann::json::array();
  std::fputs((fmt::format("{} threads, {} repeats\n\n", threads, arguments.model.repeats) + Head()).c_str(),
             stdout);
  for (const std::string& name : arguments.model.shapes) {
    const Result<ModelShape> shape = FindModelShape(name);
    if (!shape.ok()) return shape.status();
    for (const std::string& weights : arguments.model.weights) {
      const Result<RandomModel> loaded =
          LoadRandomModel(*shape, RandomWeightsNamed(weights), arguments.model.seed);
      if (!loaded.ok()) return loaded.status();
      for (const int64_t positions : arguments.positions) {
        nlohmann::json result = Measure(*loaded, *shape, positions, arguments);
        result["shape"] = name;
        result["weights"] = weights;
        std::fputs(Line(result).c_str(), stdout);
        std::fflush(stdout);
        results.push_back(std::move(result));
      }
    }
  }
  report["results"] = std::move(results);
  return WriteReport(report, arguments.model.json);
}

}  // namespace

Command AddPrefillCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  arguments->model.repeats = 9;
  AddModelOptions(app, &arguments->model);
  app.add_option("--positions", arguments->positions, "Of the text")
      ->delimiter(',')
      ->check(CLI::Range(1, 131'072))
      ->capture_default_str();
  app.add_option("--chunk", arguments->chunk, "Positions of one step; 0: all of them")
      ->check(CLI::Range(0, 131'072))
      ->capture_default_str();
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
