#include "bench/model_options.h"

#include <algorithm>
#include <limits>

#include "bench/statistics.h"
#include "kernels/dispatch.h"

namespace antiphon::bench {
namespace {

constexpr int kBandwidthPasses = 20;

}  // namespace

int ModelOptions::used_threads() const { return UsedThreads(threads); }

void AddModelOptions(CLI::App& app, ModelOptions* options) {
  app.add_option("--shape", options->shapes,
                 "Of the random models: wren, b0.4, b1.2, or a folder whose config.json has it")
      ->delimiter(',')
      ->type_name("NAME|FOLDER")
      ->capture_default_str();
  app.add_option("--weights", options->weights, "Their forms")
      ->delimiter(',')
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->capture_default_str();
  app.add_option("--threads", options->threads, "0: one a core, at most 4")->check(CLI::Range(0, 64));
  app.add_option("--repeats", options->repeats, "Of everything; the medians of each make the spread")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_flag("--bandwidth", options->bandwidth,
               "Measure how fast the machine reads memory too, and compare with that floor");
  app.add_option("--seed", options->seed, "Of the weights")->capture_default_str();
  app.add_option("--json", options->json, "Write everything measured to this file")->type_name("FILE");
}

Floor::Floor(const ModelOptions& options, int64_t bytes)
    : wanted_(options.bandwidth), bytes_(static_cast<size_t>(bytes)), threads_(options.used_threads()) {
  MeasureAgain();
}

void Floor::MeasureAgain() {
  if (wanted_) measured_.push_back(MeasureReadBandwidth(bytes_, threads_, kBandwidthPasses));
}

double Floor::gigabytes_per_second() const {
  if (!wanted_) return std::numeric_limits<double>::quiet_NaN();
  const auto slower = [](const Bandwidth& a, const Bandwidth& b) {
    return a.gigabytes_per_second < b.gigabytes_per_second;
  };
  return std::ranges::max_element(measured_, slower)->gigabytes_per_second;
}

nlohmann::json Floor::Json() const {
  if (!wanted_) return nullptr;
  nlohmann::json json = nlohmann::json::array();
  for (const Bandwidth& bandwidth : measured_) json.push_back(bandwidth.gigabytes_per_second);
  return json;
}

nlohmann::json ReportHead(const ModelOptions& options) {
  return {{"machine", MachineJson()},       {"threads", options.used_threads()},
          {"repeats", options.repeats},     {"seed", options.seed},
          {"float_loops", CpuLoops().name}, {"int8_loops", CpuInt8Loops().name}};
}

}  // namespace antiphon::bench
