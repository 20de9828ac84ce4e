// `antiphon-bench attention`: attention of one sequence over its pages, layer by layer, against the time it
// takes to read their keys and values once.
#include <ATen/core/Tensor.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "bench/commands.h"
#include "bench/memory_bandwidth.h"
#include "bench/model_shapes.h"
#include "bench/output.h"
#include "bench/statistics.h"
#include "kernels/dispatch.h"
#include "kernels/kv_rows.h"
#include "kernels/paged_attention.h"
#include "kernels/thread_team.h"

namespace antiphon::bench {
namespace {

// Layers are left out beyond this many bytes of keys and values: far more than caches keep.
constexpr int64_t kEnoughBytes = 256 << 20;
constexpr int64_t kPagePositions = 16;
constexpr int64_t kWrittenAtATime = 4096;
constexpr int kWarmUps = 1;
constexpr int kBandwidthPasses = 10;

struct Arguments {
  std::vector<std::string> shapes = {"wren", "b0.4", "b1.2"};
  std::vector<std::string> forms = {"f32", "bf16", "int8"};
  std::vector<int> contexts = {1024, 8192, 32768};
  std::vector<int> rows = {1, 64};
  std::string json;
  int repeats = 15;
  int threads = 0;
};

const std::map<std::string, KvFormat> kForms = {
    {"f32", KvFormat::kFloat32}, {"bf16", KvFormat::kBfloat16}, {"int8", KvFormat::kInt8}};

// One sequence of `context` positions in pages that stand in no order, in as many layers as are run.
struct Cache {
  Cache(const ModelShape& shape, KvFormat format, int64_t context) {
    const int64_t pages = (context + kPagePositions - 1) / kPagePositions;
    table.resize(static_cast<size_t>(pages));
    std::iota(table.begin(), table.end(), 0);
    std::shuffle(table.begin(), table.end(), std::mt19937_64(1));
    layer_bytes = 2 * context * shape.kv_heads * KvRowBytes(format, shape.head_width);
    const int64_t layers = std::clamp<int64_t>(kEnoughBytes / layer_bytes, 1, shape.layers);
    const at::Tensor some = at::randn({std::min(context, kWrittenAtATime), shape.kv_heads, shape.head_width});
    for (int64_t layer = 0; layer < layers; ++layer) {
      for (std::vector<at::Tensor>* tensors : {&keys, &values}) {
        tensors->push_back(
            MakeKvPages(format, pages, kPagePositions, shape.kv_heads, shape.head_width, at::kCPU));
        for (int64_t first = 0; first < context; first += kWrittenAtATime) {
          const int64_t count = std::min(kWrittenAtATime, context - first);
          WritePages(some.narrow(0, 0, count), {{0, count, first, table}}, &tensors->back());
        }
      }
    }
  }

  int64_t layers() const { return static_cast<int64_t>(keys.size()); }

  std::vector<int32_t> table;
  std::vector<at::Tensor> keys, values;
  int64_t layer_bytes = 0;
};

// ms of one layer.
LatencySummary Measure(const Cache& cache, const ModelShape& shape, int64_t context, int64_t rows,
                       int repeats) {
  const at::Tensor queries = at::randn({rows, shape.heads, shape.head_width});
  const std::vector<SequenceSpan> spans = {
      {.first_row = 0, .rows = rows, .context = context - rows, .pages = cache.table}};
  LatencySummary summary;
  for (int pass = -kWarmUps; pass < repeats; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    for (size_t layer = 0; layer < cache.keys.size(); ++layer) {
      (void)PagedAttention(queries, cache.keys[layer], cache.values[layer], spans);
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    if (pass >= 0) summary.Add(took.count() / static_cast<double>(cache.layers()));
  }
  return summary;
}

nlohmann::json Report(const Cache& cache, const ModelShape& shape, int64_t context, int64_t rows,
                      const LatencySummary& summary, const Bandwidth& bandwidth) {
  const double ms = summary.Percentile(50);
  const double floor_ms = static_cast<double>(cache.layer_bytes) / bandwidth.gigabytes_per_second / 1e6;
  const double pairs =
      static_cast<double>(rows) * (static_cast<double>(context) - 0.5 * static_cast<double>(rows - 1));
  const double operations = 4 * pairs * static_cast<double>(shape.query_width());
  return {{"ms", SummaryJson(summary)},
          {"step_ms", ms * static_cast<double>(shape.layers)},
          {"layers", shape.layers},
          {"layers_run", cache.layers()},
          {"layer_bytes", cache.layer_bytes},
          {"gigabytes_per_second", static_cast<double>(cache.layer_bytes) / ms / 1e6},
          {"gigaflops", operations / ms / 1e6},
          {"floor_ms", floor_ms},
          {"fraction_of_floor", floor_ms / ms}};
}

std::string Line(const nlohmann::json& result) {
  const auto number = [&](const char* key) { return result.at(key).get<double>(); };
  const nlohmann::json& ms = result.at("ms");
  return fmt::format(
      "{:<6}{:<6}{:>8}{:>5}{:>10.3f}{:>10.3f}{:>10.3f}{:>10.2f}{:>9.2f}{:>8.1f}{:>9.1f}{:>8.0f} %\n",
      result.at("shape").get<std::string>(), result.at("kv").get<std::string>(),
      result.at("context").get<int>(), result.at("rows").get<int>(), ms.at("median").get<double>(),
      ms.at("min").get<double>(), ms.at("p95").get<double>(), number("step_ms"), number("layer_bytes") / 1e6,
      number("gigabytes_per_second"), number("gigaflops"), 100 * number("fraction_of_floor"));
}

Status Run(const Arguments& arguments) {
  const int threads = UsedThreads(arguments.threads);
  const c10::InferenceMode inference;
  ThreadTeam team(threads);
  const ThreadTeamScope scope(&team);

  nlohmann::json results = nlohmann::json::array();
  fmt::print("{} threads, {} repeats, {} instructions; of one layer but for a step, which is all of them\n\n",
             threads, arguments.repeats, CpuAttentionLoops().name);
  fmt::print("{:<6}{:<6}{:>8}{:>5}{:>10}{:>10}{:>10}{:>10}{:>9}{:>8}{:>9}{:>10}\n", "shape", "kv", "context",
             "rows", "median ms", "min", "p95", "step ms", "MB", "GB/s", "GFLOP/s", "of floor");
  for (const std::string& name : arguments.shapes) {
    const ModelShape& shape = ModelShapes().at(name);
    for (const int context : arguments.contexts) {
      for (const std::string& form : arguments.forms) {
        const Cache cache(shape, kForms.at(form), context);
        const auto bandwidth = [&] {
          const auto bytes = static_cast<size_t>(cache.layer_bytes * cache.layers());
          return MeasureReadBandwidth(bytes, threads, kBandwidthPasses);
        };
        // Before and after, so that a machine that slows down meanwhile is seen; the floor is the faster.
        const Bandwidth before = bandwidth();
        std::vector<std::pair<int, LatencySummary>> measured;
        for (const int rows : arguments.rows) {
          if (rows > context) continue;
          measured.emplace_back(rows, Measure(cache, shape, context, rows, arguments.repeats));
        }
        const Bandwidth after = bandwidth();
        const Bandwidth& best = before.gigabytes_per_second > after.gigabytes_per_second ? before : after;
        for (const auto& [rows, summary] : measured) {
          nlohmann::json result = Report(cache, shape, context, rows, summary, best);
          result["shape"] = name;
          result["kv"] = form;
          result["context"] = context;
          result["rows"] = rows;
          result["read_gigabytes_per_second"] = {before.gigabytes_per_second, after.gigabytes_per_second};
          fmt::print("{}", Line(result));
          results.push_back(std::move(result));
        }
        std::fflush(stdout);
      }
    }
  }
  return WriteReport({{"machine", MachineJson()},
                      {"threads", threads},
                      {"repeats", arguments.repeats},
                      {"page_positions", kPagePositions},
                      {"loops", CpuAttentionLoops().name},
                      {"results", std::move(results)}},
                     arguments.json);
}

template <typename Value>
std::vector<std::string> Names(const std::map<std::string, Value>& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

}  // namespace

Command AddAttentionCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("--shapes", arguments->shapes, "Whose heads")
      ->delimiter(',')
      ->check(CLI::IsMember(Names(ModelShapes())))
      ->capture_default_str();
  app.add_option("--kv", arguments->forms, "Forms of the pages")
      ->delimiter(',')
      ->check(CLI::IsMember(Names(kForms)))
      ->capture_default_str();
  app.add_option("--contexts", arguments->contexts, "Positions that the last row sees")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--rows", arguments->rows, "Positions of a step; left out where the context is shorter")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--repeats", arguments->repeats, "Passes over the layers")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--threads", arguments->threads, "0: one a core, at most 4")->check(CLI::Range(0, 64));
  app.add_option("--json", arguments->json, "Write everything measured to this file")->type_name("FILE");
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
