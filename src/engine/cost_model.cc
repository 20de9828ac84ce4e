#include "engine/cost_model.h"

#include <algorithm>
#include <cmath>

namespace antiphon {
namespace {

// A measurement's weight halves about every 35 steps: a second or two of speech.
constexpr double kFade = 0.98;
// Spread of `units` (relative to their mean squared) under which a slope would be noise.
constexpr double kLeastSpread = 0.01;
constexpr double kErrorFade = 0.98;
constexpr double kMostHeadroom = 1.5;

}  // namespace

void StageCost::Learn(int64_t units, Nanoseconds took, int64_t attended) {
  const auto x = static_cast<double>(units);
  const auto a = static_cast<double>(attended);
  auto y = static_cast<double>(took.count());
  // One step that was preempted must not stop the engine from batching for the next second.
  if (weight_ > 4) y = std::min(y, 4 * (fixed_ns_ + per_unit_ns_ * x + per_attended_ns_ * a));
  weight_ = kFade * weight_ + 1;
  units_ = kFade * units_ + x;
  attended_ = kFade * attended_ + a;
  time_ = kFade * time_ + y;
  units_squared_ = kFade * units_squared_ + x * x;
  units_attended_ = kFade * units_attended_ + x * a;
  units_time_ = kFade * units_time_ + x * y;
  attended_squared_ = kFade * attended_squared_ + a * a;
  attended_time_ = kFade * attended_time_ + a * y;
  Fit();
}

void StageCost::Fit() {
  const double mean_units = units_ / weight_;
  const double mean_attended = attended_ / weight_;
  const double mean_time = time_ / weight_;
  const double var_units = units_squared_ / weight_ - mean_units * mean_units;
  const double var_attended = attended_squared_ / weight_ - mean_attended * mean_attended;
  const double cov_units_attended = units_attended_ / weight_ - mean_units * mean_attended;
  const double cov_units_time = units_time_ / weight_ - mean_units * mean_time;
  const double cov_attended_time = attended_time_ / weight_ - mean_attended * mean_time;

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

double StepCost::headroom() const { return std::min(1 + 2 * relative_error_, kMostHeadroom); }

}  // namespace antiphon
