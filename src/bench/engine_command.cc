// `antiphon-bench engine`: one step of the model for one speaking sequence, against the time it takes to read
// the weights once. What lies between the two is what better code could win.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "bench/commands.h"
#include "bench/engine_share.h"
#include "bench/memory_bandwidth.h"
#include "bench/output.h"
#include "bench/statistics.h"
#include "kernels/thread_team.h"
#include "model/language_model.h"
#include "model/model_config.h"
#include "model/safetensors.h"

namespace antiphon::bench {
namespace {

constexpr int64_t kPagePositions = 16;
constexpr int kWarmUpSteps = 20;
constexpr int kBandwidthPasses = 50;

struct Arguments {
  std::string model;
  std::string json;
  int context = 128;
  int steps = 300;
  int threads = 0;
};

struct Timings {
  LatencySummary forward, symbol, frame, step;  // ms
};

// Bytes of the weights that one step reads, in the type the file has, which the model keeps: all but the
// embeddings, of which a step reads a few rows.
size_t StepBytes(const Safetensors& weights) {
  size_t bytes = 0;
  for (const std::string& name : weights.names()) {
    if (name.find("embed.") != std::string::npos) continue;
    if (const auto tensor = weights.Get(name); tensor.ok()) bytes += tensor->nbytes();
  }
  return bytes;
}

// One speaking sequence: at each position a symbol and a frame in, a symbol and a frame out.
class Speaker {
 public:
  Speaker(const LanguageModel& model, int64_t positions)
      : model_(model), pool_(model.MakePool(positions / kPagePositions + 1, kPagePositions)) {
    pages_.resize(static_cast<size_t>(positions / kPagePositions + 1));
    std::iota(pages_.begin(), pages_.end(), 0);
  }

  // Runs `rows` positions whose output nobody reads.
  void Prefill(int64_t rows) { (void)model_.Forward(Batch(rows), pool_); }

  void Step(Timings* timings) {
    const auto start = std::chrono::steady_clock::now();
    const at::Tensor state = model_.Forward(Batch(1), pool_);
    const auto run = std::chrono::steady_clock::now();
    symbol_ = model_.SymbolLogits(state).argmax(-1).item<int64_t>();
    const auto read = std::chrono::steady_clock::now();
    // Never the end of audio: it would cut the frame short.
    const at::Tensor codes = model_.DrawFrames(state, [&](int64_t, int64_t k, const at::Tensor& logits) {
      return logits.slice(0, 0, model_.config().codebook_sizes.at(static_cast<size_t>(k)))
          .argmax()
          .item<int64_t>();
    });
    codes_.assign(codes.data_ptr<int64_t>(), codes.data_ptr<int64_t>() + codes.numel());
    const auto end = std::chrono::steady_clock::now();
    if (timings == nullptr) return;
    timings->forward.Add(Ms(run - start));
    timings->symbol.Add(Ms(read - run));
    timings->frame.Add(Ms(end - read));
    timings->step.Add(Ms(end - start));
  }

 private:
  static double Ms(std::chrono::steady_clock::duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
  }

  RaggedBatch Batch(int64_t rows) {
    RaggedBatch batch;
    batch.symbols.assign(static_cast<size_t>(rows), symbol_);
    batch.spoken.rows = {rows - 1};
    batch.spoken.codes = codes_;
    batch.spans = {{0, rows, context_, pages_}};
    context_ += rows;
    return batch;
  }

  const LanguageModel& model_;
  KvPool pool_;
  std::vector<int32_t> pages_;
  int64_t context_ = 0;
  int64_t symbol_ = model_.config().symbols.pad;
  std::vector<int64_t> codes_ = std::vector<int64_t>(static_cast<size_t>(model_.config().codebooks()));
};

// Of the engine around the model, with one sequence and with eight.
Status ReportEngineShares(const Arguments& arguments, const LanguageModel& model, nlohmann::json* report) {
  for (const int sequences : {1, 8}) {
    const Result<EngineShare> share = MeasureEngineShare(arguments.model, model, sequences, arguments.steps);
    if (!share.ok()) return share.status();
    const double part = share->engine.Percentile(50) / share->step.Percentile(50);
    (*report)["engine"].push_back({{"sequences", sequences},
                                   {"speaking", share->speaking},
                                   {"step_ms", SummaryJson(share->step)},
                                   {"beside_arithmetic_ms", SummaryJson(share->engine)},
                                   {"part_of_step", part},
                                   {"allocations", share->allocations},
                                   {"allocations_beside_arithmetic", share->engine_allocations},
                                   {"page_faults", share->page_faults}});
    std::fputs(
        fmt::format("a step of the engine, {:.1f} of {} speaking: median {:.2f} ms with the codec, of which "
                    "{:.3f} ms ({:.1f} %) beside the model's and the codec's arithmetic; {:.0f} "
                    "allocations, {:.0f} of them there; {:.1f} page faults\n",
                    share->speaking, sequences, share->step.Percentile(50), share->engine.Percentile(50),
                    100 * part, share->allocations, share->engine_allocations, share->page_faults)
            .c_str(),
        stdout);
  }
  return OkStatus();
}

Status Run(const Arguments& arguments) {
  const Result<ModelConfig> config = LoadModelConfig(arguments.model);
  if (!config.ok()) return config.status();
  const int64_t positions = arguments.context + kWarmUpSteps + arguments.steps;
  if (positions > config->max_positions) {
    return InvalidArgument(
        fmt::format("{} positions are needed, the model has {}", positions, config->max_positions));
  }
  const Result<Safetensors> weights = Safetensors::Open(arguments.model + "/backbone.safetensors");
  if (!weights.ok()) return weights.status();
  const auto model = LanguageModel::Load(*weights, *config, at::kCPU);
  if (!model.ok()) return model.status();
  const int threads = UsedThreads(arguments.threads);
  const c10::InferenceMode inference;
  at::set_num_threads(threads);
  ThreadTeam team(threads);
  const ThreadTeamScope scope(&team);

  Speaker speaker(**model, positions);
  speaker.Prefill(arguments.context);
  for (int i = 0; i < kWarmUpSteps; ++i) speaker.Step(nullptr);
  Timings timings;
  // The floor is measured before and after, so that a machine that slows down meanwhile is seen.
  const size_t bytes = StepBytes(*weights);
  const Bandwidth before = MeasureReadBandwidth(bytes, threads, kBandwidthPasses);
  for (int i = 0; i < arguments.steps; ++i) speaker.Step(&timings);
  const Bandwidth after = MeasureReadBandwidth(bytes, threads, kBandwidthPasses);

  const double bandwidth = std::max(before.gigabytes_per_second, after.gigabytes_per_second);
  const double floor_ms = static_cast<double>(bytes) / bandwidth / 1e6;
  nlohmann::json report = {
      {"machine", MachineJson()},
      {"model", arguments.model},
      {"parameters", (*model)->parameters()},
      {"threads", threads},
      {"context", arguments.context},
      {"step_ms", SummaryJson(timings.step)},
      {"forward_ms", SummaryJson(timings.forward)},
      {"symbol_ms", SummaryJson(timings.symbol)},
      {"frame_ms", SummaryJson(timings.frame)},
      {"step_bytes", bytes},
      {"gigabytes_per_second", {before.gigabytes_per_second, after.gigabytes_per_second}},
      {"floor_ms", floor_ms},
      {"step_over_floor", timings.step.Percentile(50) / floor_ms},
  };
  std::fputs(
      (SummaryHead() + SummaryLine("one step, one speaking sequence", report.at("step_ms")) +
       SummaryLine("  backbone", report.at("forward_ms")) + SummaryLine("  symbol", report.at("symbol_ms")) +
       SummaryLine("  frame (depth decoder)", report.at("frame_ms")) +
       fmt::format("\nfloor: {:.1f} MB of weights at {:.1f} GB/s ({:.1f} before, {:.1f} after) = {:.2f} ms; "
                   "the median step takes {:.1f} times that\n",
                   static_cast<double>(bytes) / 1e6, bandwidth, before.gigabytes_per_second,
                   after.gigabytes_per_second, floor_ms, report.at("step_over_floor").get<double>()))
          .c_str(),
      stdout);
  // What has been measured is written even if a folder has no more than a backbone.
  const Status shares = ReportEngineShares(arguments, **model, &report);
  if (Status written = WriteReport(report, arguments.json); !written.ok()) return written;
  return shares;
}

}  // namespace

Command AddEngineCommand(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("--model", arguments->model, "The model's folder")->type_name("FOLDER")->required();
  app.add_option("--context", arguments->context, "Positions before the first step")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--steps", arguments->steps, "To measure")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--threads", arguments->threads, "Of libtorch; 0: one a core, at most 4")
      ->check(CLI::Range(0, 256));
  app.add_option("--json", arguments->json, "Write everything measured to this file")->type_name("FILE");
  return [arguments] { return ExitStatus(Run(*arguments)); };
}

}  // namespace antiphon::bench
