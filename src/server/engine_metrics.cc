#include "server/engine_metrics.h"

#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

namespace antiphon {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily FamilyOf(std::string name, std::string help, MetricType type, ClientMetric metric) {
  return {std::move(name), std::move(help), type, {std::move(metric)}};
}

MetricFamily CounterOf(std::string name, std::string help, double value) {
  ClientMetric metric;
  metric.counter.value = value;
  return FamilyOf(std::move(name), std::move(help), MetricType::Counter, std::move(metric));
}

MetricFamily GaugeOf(std::string name, std::string help, double value) {
  ClientMetric metric;
  metric.gauge.value = value;
  return FamilyOf(std::move(name), std::move(help), MetricType::Gauge, std::move(metric));
}

MetricFamily StepSizes(const EngineStatistics& statistics) {
  ClientMetric metric;
  auto& histogram = metric.histogram;
  double bound = 1;
  for (const uint64_t steps : statistics.steps_by_size) {
    histogram.sample_count += steps;
    histogram.bucket.push_back({histogram.sample_count, bound});
    bound *= 2;
  }
  histogram.bucket.back().upper_bound = std::numeric_limits<double>::infinity();
  histogram.sample_sum = static_cast<double>(statistics.positions);
  return FamilyOf("antiphon_engine_step_positions", "Positions of each step", MetricType::Histogram,
                  std::move(metric));
}

MetricFamily PredictionRatios(const EngineStatistics& statistics) {
  constexpr double kBounds[] = {0.5, 0.8, 1, 1.25, 1.5, 2, 4, std::numeric_limits<double>::infinity()};
  ClientMetric metric;
  auto& histogram = metric.histogram;
  for (size_t i = 0; i < std::size(kBounds); ++i) {
    histogram.sample_count += statistics.steps_by_prediction[i];
    histogram.bucket.push_back({histogram.sample_count, kBounds[i]});
  }
  // Of all steps together: the ratios themselves are not kept.
  if (statistics.step_ms_predicted_total > 0) {
    histogram.sample_sum = static_cast<double>(histogram.sample_count) * statistics.step_ms_total /
                           statistics.step_ms_predicted_total;
  }
  return FamilyOf("antiphon_engine_step_prediction_ratio", "Time a step took over the time predicted for it",
                  MetricType::Histogram, std::move(metric));
}

}  // namespace

std::vector<MetricFamily> EngineMetrics::Collect() const {
  const EngineStatistics statistics = engine_.statistics();
  const auto count = [](uint64_t value) { return static_cast<double>(value); };
  return {
      CounterOf("antiphon_engine_steps_total", "Steps that were run", count(statistics.steps)),
      CounterOf("antiphon_engine_positions_total", "Positions that were run", count(statistics.positions)),
      CounterOf("antiphon_engine_spoken_frames_total", "Audio frames that were made",
                count(statistics.spoken_frames)),
      CounterOf("antiphon_engine_deadline_misses_total", "Frames, heard or spoken, that came late",
                count(statistics.deadline_misses)),
      CounterOf("antiphon_engine_timed_frames_total", "Frames, heard or spoken, that had a deadline",
                count(statistics.timed_frames)),
      CounterOf("antiphon_engine_step_seconds_total", "Time spent in steps", statistics.step_ms_total / 1e3),
      CounterOf("antiphon_engine_step_predicted_seconds_total", "Time that was predicted for steps",
                statistics.step_ms_predicted_total / 1e3),
      CounterOf("antiphon_engine_step_prediction_error_seconds_total",
                "Absolute differences of the time a step took and the time predicted for it",
                statistics.step_error_ms_total / 1e3),
      PredictionRatios(statistics),
      GaugeOf("antiphon_engine_admission_headroom", "Factor by which admission lengthens predicted steps",
              statistics.admission_headroom),
      CounterOf("antiphon_engine_forks_total", "Forks of sequences that were asked for",
                count(statistics.forks)),
      CounterOf("antiphon_engine_forks_lost_total", "Forks that were refused or gave way for want of memory",
                count(statistics.forks_lost)),
      CounterOf("antiphon_engine_speculations_kept_total",
                "Answers begun before their turn was over that became the response",
                count(statistics.speculations_kept)),
      CounterOf("antiphon_engine_speculations_dropped_total",
                "Answers begun before their turn was over that were thrown away",
                count(statistics.speculations_dropped)),
      CounterOf("antiphon_engine_speculative_steps_total", "Positions run of answers begun ahead",
                count(statistics.speculative_steps)),
      CounterOf("antiphon_engine_speculative_steps_wasted_total", "Of them, those of answers thrown away",
                count(statistics.speculative_steps_wasted)),
      CounterOf("antiphon_engine_prefix_hits_total",
                "Sequences whose beginning was found in the pages of an earlier one",
                count(statistics.prefix_hits)),
      CounterOf("antiphon_engine_prefix_misses_total",
                "Sequences whose beginning fills a page and was not found", count(statistics.prefix_misses)),
      CounterOf("antiphon_engine_prefix_positions_total", "Positions that were found and not run",
                count(statistics.prefix_positions)),
      GaugeOf("antiphon_engine_step_average_seconds", "Fading average of a step's time",
              statistics.step_ms_average / 1e3),
      StepSizes(statistics),
      GaugeOf("antiphon_engine_sequences_open", "Sequences that are open", statistics.open_sequences),
      GaugeOf("antiphon_engine_pages_in_use", "Pages of the KV pool in use", statistics.pages_in_use),
      GaugeOf("antiphon_engine_prefix_pages", "Pages of the KV pool that keep beginnings of sequences",
              statistics.prefix_pages),
      GaugeOf("antiphon_engine_pages", "Pages of the KV pool", statistics.pages),
  };
}

}  // namespace antiphon
