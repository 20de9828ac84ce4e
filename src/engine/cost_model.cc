#include "engine/cost_model.h"

#include <algorithm>

namespace antiphon {
namespace {

// A measurement's weight halves about every 35 steps: a second or two of speech.
constexpr double kFade = 0.98;
// Spread of `units` (relative to their mean squared) under which a slope would be noise.
constexpr double kLeastSpread = 0.01;

}  // namespace

void StageCost::Learn(int64_t units, Nanoseconds took) {
  const auto x = static_cast<double>(units);
  auto y = static_cast<double>(took.count());
  // One step that was preempted must not stop the engine from batching for the next second.
  if (weight_ > 4) y = std::min(y, 4 * (fixed_ns_ + per_unit_ns_ * x));
  weight_ = kFade * weight_ + 1;
  units_ = kFade * units_ + x;
  time_ = kFade * time_ + y;
  units_squared_ = kFade * units_squared_ + x * x;
  units_time_ = kFade * units_time_ + x * y;

  const double mean_units = units_ / weight_;
  const double mean_time = time_ / weight_;
  const double variance = units_squared_ / weight_ - mean_units * mean_units;
  if (variance > kLeastSpread * mean_units * mean_units) {
    const double covariance = units_time_ / weight_ - mean_units * mean_time;
    per_unit_ns_ = std::max(0.0, covariance / variance);
    slope_known_ = true;
  } else if (!slope_known_) {
    per_unit_ns_ = mean_time / mean_units;  // the cautious guess
  }
  // Both parts stay non-negative and the line still goes through the mean.
  per_unit_ns_ = std::min(per_unit_ns_, mean_time / mean_units);
  fixed_ns_ = mean_time - per_unit_ns_ * mean_units;
}

Nanoseconds StageCost::Predict(int64_t units) const {
  if (units <= 0) return Nanoseconds::zero();
  return Nanoseconds(static_cast<int64_t>(fixed_ns_ + per_unit_ns_ * static_cast<double>(units)));
}

void StepCost::Learn(const StepLoad& load, const StepTimes& times) {
  if (load.heard > 0) encode_.Learn(load.heard, times.encode);
  if (load.rows > 0) forward_.Learn(load.rows, times.forward);
  if (load.spoken > 0) speak_.Learn(load.spoken, times.speak);
}

Nanoseconds StepCost::Predict(const StepLoad& load) const {
  return encode_.Predict(load.heard) + forward_.Predict(load.rows) + speak_.Predict(load.spoken);
}

}  // namespace antiphon
