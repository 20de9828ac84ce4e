#include "engine/cost_model.h"

#include <algorithm>
#include <cmath>

namespace antiphon {
namespace {

// A measurement's weight halves about every 35 steps: a second or two of speech.
constexpr double kFade = 0.98;
// Spread of `units` (relative to their mean squared) under which a slope would be noise.
constexpr double kLeastSpread = 0.01;
// In measurements; those of late weigh 50 at most.
constexpr double kTrialWeight = 10;
constexpr double kErrorFade = 0.98;
constexpr double kMostHeadroom = 1.5;

}  // namespace

void StageCost::Learn(int64_t units, Nanoseconds took, int64_t attended) {
  const auto x = static_cast<double>(units);
  const auto a = static_cast<double>(attended);
  auto y = static_cast<double>(took.count());
  // One step that was preempted must not stop the engine from batching for the next second.
  if (late_.weight > 4) y = std::min(y, 4 * (fixed_ns_ + per_unit_ns_ * x + per_attended_ns_ * a));
  late_.weight = kFade * late_.weight + 1;
  late_.units = kFade * late_.units + x;
  late_.attended = kFade * late_.attended + a;
  late_.time = kFade * late_.time + y;
  late_.units_squared = kFade * late_.units_squared + x * x;
  late_.units_attended = kFade * late_.units_attended + x * a;
  late_.units_time = kFade * late_.units_time + x * y;
  late_.attended_squared = kFade * late_.attended_squared + a * a;
  late_.attended_time = kFade * late_.attended_time + a * y;
  Fit();
}

void StageCost::Settle() {
  if (!learnt()) return;
  const double scale = kTrialWeight / late_.weight;
  trial_ = {kTrialWeight,
            scale * late_.units,
            scale * late_.attended,
            scale * late_.time,
            scale * late_.units_squared,
            scale * late_.units_attended,
            scale * late_.units_time,
            scale * late_.attended_squared,
            scale * late_.attended_time};
}

StageCost::Spread::Spread(const Sums& sums)
    : units(0), attended(0), units_attended(0), units_time(0), attended_time(0) {
  if (sums.weight <= 0) return;
  units = sums.units_squared - sums.units * sums.units / sums.weight;
  attended = sums.attended_squared - sums.attended * sums.attended / sums.weight;
  units_attended = sums.units_attended - sums.units * sums.attended / sums.weight;
  units_time = sums.units_time - sums.units * sums.time / sums.weight;
  attended_time = sums.attended_time - sums.attended * sums.time / sums.weight;
}

void StageCost::Fit() {
  const double mean_units = late_.units / late_.weight;
  const double mean_attended = late_.attended / late_.weight;
  const double mean_time = late_.time / late_.weight;
  // Each about its own means: a machine that got slower since the trial is not a steeper one.
  const Spread late(late_), trial(trial_);
  const double weight = late_.weight + trial_.weight;
  const double var_units = (late.units + trial.units) / weight;
  const double var_attended = (late.attended + trial.attended) / weight;
  const double cov_units_attended = (late.units_attended + trial.units_attended) / weight;
  const double cov_units_time = (late.units_time + trial.units_time) / weight;
  const double cov_attended_time = (late.attended_time + trial.attended_time) / weight;

  const bool sizes_differ = var_units > kLeastSpread * mean_units * mean_units;
  // What is left of the spread of contexts when that which goes with the number of rows is taken away.
  const double own_spread =
      sizes_differ ? var_attended - cov_units_attended * cov_units_attended / var_units : var_attended;
  const bool contexts_differ = own_spread > kLeastSpread * mean_attended * mean_attended;

  const auto units_slope = [&](double per_attended) {
    return std::max(0.0, (cov_units_time - per_attended * cov_units_attended) / var_units);
  };
  const auto attended_slope = [&](double per_unit) {
    return std::max(0.0, (cov_attended_time - per_unit * cov_units_attended) / var_attended);
  };
  if (sizes_differ && contexts_differ) {
    per_attended_ns_ = (cov_attended_time - cov_units_time * cov_units_attended / var_units) / own_spread;
    if (per_attended_ns_ < 0) per_attended_ns_ = 0;
    per_unit_ns_ = units_slope(per_attended_ns_);
    if (per_unit_ns_ == 0) per_attended_ns_ = attended_slope(0);
    slope_known_ = true;
  } else if (sizes_differ) {
    per_unit_ns_ = units_slope(per_attended_ns_);
    slope_known_ = true;
  } else if (!slope_known_) {
    per_unit_ns_ = mean_time / mean_units;  // the cautious guess
    per_attended_ns_ = 0;
  } else if (contexts_differ) {
    per_attended_ns_ = attended_slope(per_unit_ns_);
  }
  // All parts stay non-negative and the plane still goes through the mean.
  const double slopes = per_unit_ns_ * mean_units + per_attended_ns_ * mean_attended;
  if (slopes > mean_time) {
    per_unit_ns_ *= mean_time / slopes;
    per_attended_ns_ *= mean_time / slopes;
  }
  fixed_ns_ = mean_time - std::min(slopes, mean_time);
}

Nanoseconds StageCost::Predict(int64_t units, int64_t attended) const {
  if (units <= 0) return Nanoseconds::zero();
  return Nanoseconds(static_cast<int64_t>(fixed_ns_ + per_unit_ns_ * static_cast<double>(units) +
                                          per_attended_ns_ * static_cast<double>(attended)));
}

void StepCost::Learn(const StepLoad& load, const StepTimes& times) {
  if (const auto predicted = static_cast<double>(Predict(load).count()); predicted > 0) {
    const double error = std::abs(static_cast<double>(times.total().count()) / predicted - 1);
    // A step that took ten times as long says no more than one that took twice as long: that it happens.
    relative_error_ = kErrorFade * relative_error_ + (1 - kErrorFade) * std::min(error, 1.0);
  }
  if (load.heard > 0) encode_.Learn(load.heard, times.encode);
  if (load.rows > 0) forward_.Learn(load.rows, times.forward, load.attended);
  if (load.spoken > 0) speak_.Learn(load.spoken, times.speak);
}

Nanoseconds StepCost::Predict(const StepLoad& load) const {
  return encode_.Predict(load.heard) + forward_.Predict(load.rows, load.attended) +
         speak_.Predict(load.spoken);
}

void StepCost::Settle() {
  encode_.Settle();
  forward_.Settle();
  speak_.Settle();
}

double StepCost::headroom() const { return std::min(1 + 2 * relative_error_, kMostHeadroom); }

}  // namespace antiphon
