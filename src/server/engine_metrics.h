// The engine's own account, for Prometheus. docs/metrics.md says what each metric means.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

#include "antiphon/engine.h"

namespace antiphon {

// Reads the engine's statistics when it is asked, so that counting costs the engine nothing. Thread-safe.
class EngineMetrics final : public prometheus::Collectable {
 public:
  // `engine` outlives it.
  explicit EngineMetrics(const Engine& engine) : engine_(engine) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Engine& engine_;
};

}  // namespace antiphon
