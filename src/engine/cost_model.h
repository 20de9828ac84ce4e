// What a step costs on this machine, learnt from the steps that were run.
#pragma once

#include <cstdint>

#include "common/clock.h"

namespace antiphon {

// Time of one stage as fixed + per_unit * units: a least-squares line through past measurements, whose weight
// fades exponentially, so that it follows a machine that gets busier. A value.
class StageCost {
 public:
  // REQUIRES: units > 0.
  void Learn(int64_t units, Nanoseconds took);

  // 0 for no units, and before anything was learnt. Never decreasing in `units`.
  Nanoseconds Predict(int64_t units) const;

  bool learnt() const { return weight_ > 0; }

 private:
  // Weighted sums over (units, time): enough for the line.
  double weight_ = 0;
  double units_ = 0;
  double time_ = 0;
  double units_squared_ = 0;
  double units_time_ = 0;
  double fixed_ns_ = 0;
  double per_unit_ns_ = 0;
  bool slope_known_ = false;  // more than one size was seen; kept when only one size is seen for long
};

// What a step does, in the units that its time depends on.
struct StepLoad {
  int64_t rows = 0;    // positions through the backbone
  int64_t heard = 0;   // frames encoded
  int64_t spoken = 0;  // frames drawn and decoded

  friend StepLoad operator+(StepLoad a, const StepLoad& b) {
    return {a.rows + b.rows, a.heard + b.heard, a.spoken + b.spoken};
  }
};

// How long each stage of one step took.
struct StepTimes {
  Nanoseconds encode{};
  Nanoseconds forward{};
  Nanoseconds speak{};

  Nanoseconds total() const { return encode + forward + speak; }
};

// The three stages of a step. A value.
class StepCost {
 public:
  void Learn(const StepLoad& load, const StepTimes& times);
  Nanoseconds Predict(const StepLoad& load) const;
  // All stages have been seen at least once.
  bool learnt() const { return encode_.learnt() && forward_.learnt() && speak_.learnt(); }

 private:
  StageCost encode_;
  StageCost forward_;
  StageCost speak_;
};

}  // namespace antiphon
