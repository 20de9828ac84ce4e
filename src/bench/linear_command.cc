// `antiphon-bench linear`: the matrix products of one step of a model, in the order a step makes them,
// against the time it takes to read their weights once.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/commands.h"
#include "bench/memory_bandwidth.h"
#include "bench/model_shapes.h"
#include "bench/output.h"
#include "bench/statistics.h"
#include "kernels/dispatch.h"
#include "kernels/linear.h"
#include "kernels/thread_team.h"

namespace antiphon::bench {
namespace {

// Layers are left out beyond this many bytes of weights: far more than caches keep.
constexpr int64_t kEnoughBytes = 256 << 20;
constexpr int kWarmUps = 2;
constexpr int kBandwidthPasses = 20;

struct Arguments {
  std::vector<std::string> shapes = {"wren", "b0.4"};
  std::vector<std::string> weights = {"f32", "bf16", "int8"};
  std::vector<int> rows = {1, 2, 4, 8, 16, 256};
  std::string json;
  int repeats = 30;
  int threads = 0;
};

// Matrices that one call multiplies with: a layer's keys, queries and values share their x, and so do the two
// sides of its MLP.
struct Call {
  std::string kind;
  std::vector<WeightMatrix> weights;
};

// As a step makes it.
void Run(const at::Tensor& x, const std::vector<WeightMatrix>& weights) {
  switch (weights.size()) {
    case 3:
      LinearEach(x, {&weights[0], &weights[1], &weights[2]});
      break;
    case 2:
      LinearEach(x, {&weights[0], &weights[1]});
      break;
    default:
      Linear(x, weights.at(0));
  }
}

at::Tensor Random(int64_t out, int64_t in) { return at::rand({out, in}).sub_(0.5); }

WeightMatrix RandomMatrix(const std::string& weights, int64_t out, int64_t in) {
  if (weights == "f32") return Random(out, in);
  if (weights == "bf16") return Random(out, in).to(at::kBFloat16);
  return QuantizeRows(Random(out, in));
}

// The matrices of the layers that are run, and of the head.
struct Model {
  Model(const ModelShape& shape, const std::string& weights) {
    const auto add = [&](const char* kind, int64_t in, std::initializer_list<int64_t> outs) {
      calls.push_back({kind, {}});
      for (const int64_t out : outs) {
        calls.back().weights.push_back(RandomMatrix(weights, out, in));
        bytes += calls.back().weights.back().bytes();
      }
    };
    for (; layers < shape.layers && bytes < kEnoughBytes; ++layers) {
      add("wq_wk_wv", shape.width, {shape.query_width(), shape.kv_width(), shape.kv_width()});
      add("wo", shape.query_width(), {shape.width});
      add("w_gate_up", shape.width, {shape.mlp_width, shape.mlp_width});
      add("w_down", shape.mlp_width, {shape.width});
    }
    add("head", shape.width, {shape.vocabulary});
  }

  std::vector<Call> calls;
  int64_t layers = 0;
  int64_t bytes = 0;
};

struct Timings {
  LatencySummary all;
  std::map<std::string, LatencySummary> kinds;
};

Timings Measure(const Model& model, int64_t rows, int repeats) {
  std::map<int64_t, at::Tensor> inputs;
  for (const Call& call : model.calls) {
    at::Tensor& x = inputs[call.weights[0].in()];
    if (!x.defined()) x = at::randn({rows, call.weights[0].in()});
  }
  Timings timings;
  for (int pass = -kWarmUps; pass < repeats; ++pass) {
    std::map<std::string, double> kinds;
    double all = 0;
    for (const Call& call : model.calls) {
      const at::Tensor& x = inputs.at(call.weights[0].in());
      const auto start = std::chrono::steady_clock::now();
      Run(x, call.weights);
      const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
      kinds[call.kind] += took.count();
      all += took.count();
    }
    if (pass < 0) continue;
    timings.all.Add(all);
    for (const auto& [kind, ms] : kinds) timings.kinds[kind].Add(ms);
  }
  return timings;
}

// Time, rate and how near the floor it is, of products that read `bytes` of weights.
nlohmann::json ResultJson(const LatencySummary& summary, int64_t bytes, int64_t multiplications,
                          const Bandwidth& bandwidth) {
  const double ms = summary.Percentile(50);
  const double floor_ms = static_cast<double>(bytes) / bandwidth.gigabytes_per_second / 1e6;
  return {{"ms", SummaryJson(summary)},
          {"weight_bytes", bytes},
          {"gigabytes_per_second", static_cast<double>(bytes) / ms / 1e6},
          {"gigaflops", 2 * static_cast<double>(multiplications) / ms / 1e6},
          {"floor_ms", floor_ms},
          {"fraction_of_floor", floor_ms / ms}};
}

nlohmann::json Report(const Model& model, const Timings& timings, int64_t rows, const Bandwidth& bandwidth) {
  struct Sum {
    int64_t bytes = 0, numbers = 0, count = 0;
  };
  std::map<std::string, Sum> sums;
  Sum all;
  for (const Call& call : model.calls) {
    for (Sum* sum : {&all, &sums[call.kind]}) {
      for (const WeightMatrix& weight : call.weights) {
        sum->bytes += weight.bytes();
        sum->numbers += weight.values.numel();
      }
      ++sum->count;
    }
  }
  nlohmann::json report = ResultJson(timings.all, all.bytes, all.numbers * rows, bandwidth);
  for (const auto& [kind, sum] : sums) {
    report["calls"][kind] = ResultJson(timings.kinds.at(kind), sum.bytes, sum.numbers * rows, bandwidth);
    report["calls"][kind]["count"] = sum.count;
  }
  return report;
}

std::string Line(const nlohmann::json& result) {
  const auto number = [&](const char* key) { return result.at(key).get<double>(); };
  const nlohmann::json& ms = result.at("ms");
  return fmt::format("{:<6}{:<6}{:>5}{:>10.3f}{:>10.3f}{:>10.3f}{:>8.1f}{:>9.1f}{:>8.0f} %\n",
                     result.at("shape").get<std::string>(), result.at("weights").get<std::string>(),
                     result.at("rows").get<int>(), ms.at("median").get<double>(), ms.at("min").get<double>(),
                     ms.at("p95").get<double>(), number("gigabytes_per_second"), number("gigaflops"),
                     100 * number("fraction_of_floor"));
}

Status Run(const Arguments& arguments) {
  const int threads = UsedThreads(arguments.threads);
  const c10::InferenceMode inference;
  at::set_num_threads(threads);
  ThreadTeam team(threads);
  const ThreadTeamScope scope(&team);

  nlohmann::json results = nlohmann::json::array();
  fmt::print("{} threads, {} repeats, {} and {} instructions\n\n", threads, arguments.repeats,
             CpuLoops().name, CpuInt8Loops().name);
  fmt::print("{:<6}{:<6}{:>5}{:>10}{:>10}{:>10}{:>8}{:>9}{:>10}\n", "shape", "form", "rows", "median ms",
             "min", "p95", "GB/s", "GFLOP/s", "of floor");
  for (const std::string& shape : arguments.shapes) {
    for (const std::string& weights : arguments.weights) {
      const Model model(ModelShapes().at(shape), weights);
      const auto bandwidth = [&] {
        return MeasureReadBandwidth(static_cast<size_t>(model.bytes), threads, kBandwidthPasses);
      };
      // Before and after, so that a machine that slows down meanwhile is seen; the floor is the faster.
      const Bandwidth before = bandwidth();
      std::vector<Timings> timings;
      for (const int rows : arguments.rows) timings.push_back(Measure(model, rows, arguments.repeats));
      const Bandwidth after = bandwidth();
      const Bandwidth& best = before.gigabytes_per_second > after.gigabytes_per_second ? before : after;
      for (size_t i = 0; i < timings.size(); ++i) {
        nlohmann::json result = Report(model, timings[i], arguments.rows[i], best);
        result["shape"] = shape;
        result["weights"] = weights;
        result["rows"] = arguments.rows[i];
        result["layers_run"] = model.layers;
        result["read_gigabytes_per_second"] = {before.gigabytes_per_second, after.gigabytes_per_second};
        fmt::print("{}", Line(result));
        results.push_back(std::move(result));
      }
      std::fflush(stdout);
    }
  }
  return WriteReport({{"machine", MachineJson()},
                      {"threads", threads},
                      {"repeats", arguments.repeats},
                      {"float_loops", CpuLoops().name},
                      {"int8_loops", CpuInt8Loops().name},
                      {"results", std::move(results)}},
                     arguments.json);
}

}  // namespace

Command AddLinearCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  std::vector<std::string> names;
  for (const auto& [name, shape] : ModelShapes()) names.push_back(name);
  app.add_option("--shapes", arguments->shapes, "Of whose matrices")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  app.add_option("--weights", arguments->weights, "Their forms")
      ->delimiter(',')
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->capture_default_str();
  app.add_option("--rows", arguments->rows, "Positions of a step")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--repeats", arguments->repeats, "Steps")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--threads", arguments->threads, "0: one a core, at most 4")->check(CLI::Range(0, 64));
  app.add_option("--json", arguments->json, "Write everything measured to this file")->type_name("FILE");
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
