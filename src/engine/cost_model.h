// What a step costs on this machine, learnt from the steps that were run.
#pragma once

#include <cstdint>

#include "common/clock.h"

namespace antiphon {

// Time of one stage as fixed + per_unit * units + per_attended * attended: a least-squares plane through past
// measurements, whose weight fades exponentially, so that it follows a machine that gets busier. No part is
// ever negative. A slope that the measurements of late say nothing about (steps of one size only, or whose
// contexts grow with their rows) stays as it was. A value.
class StageCost {
 public:
  // REQUIRES: units > 0. `attended`: positions of the cache that are read, of a stage that reads any.
  void Learn(int64_t units, Nanoseconds took, int64_t attended = 0);

  // 0 for no units, and before anything was learnt. Never decreasing in `units` or `attended`.
  Nanoseconds Predict(int64_t units, int64_t attended = 0) const;

  bool learnt() const { return weight_ > 0; }
  // Of late, of each unit; 0 before anything was learnt.
  double mean_attended() const { return units_ > 0 ? attended_ / units_ : 0; }

 private:
  void Fit();

  // Weighted sums over (units, attended, time): enough for the plane.
  double weight_ = 0;
  double units_ = 0;
  double attended_ = 0;
  double time_ = 0;
  double units_squared_ = 0;
  double units_attended_ = 0;
  double units_time_ = 0;
  double attended_squared_ = 0;
  double attended_time_ = 0;
  double fixed_ns_ = 0;
  double per_unit_ns_ = 0;
  double per_attended_ns_ = 0;
  bool slope_known_ = false;  // more than one size was seen; kept when only one size is seen for long
};

// What a step does, in the units that its time depends on.
struct StepLoad {
  int64_t rows = 0;    // positions through the backbone
  int64_t heard = 0;   // frames encoded
  int64_t spoken = 0;  // frames drawn and decoded
  int64_t attended =
      0;  // positions of the cache that the rows read, their own included, summed over the rows

  friend StepLoad operator+(StepLoad a, const StepLoad& b) {
    return {a.rows + b.rows, a.heard + b.heard, a.spoken + b.spoken, a.attended + b.attended};
  }
};

// StepLoad::attended of `rows` positions of one sequence that stand behind `context` others.
constexpr int64_t AttendedBy(int64_t rows, int64_t context) { return rows * context + rows * (rows + 1) / 2; }

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

  // What a prediction should be multiplied with to be a promise: 1 where steps take what was predicted, and
  // twice their mean relative error of late more otherwise; 1.5 at most, so that a burst of noise does not
  // close the server.
  double headroom() const;
  // Positions that a row read in the mean, of late.
  double mean_attended() const { return forward_.mean_attended(); }

 private:
  StageCost encode_;
  StageCost forward_;
  StageCost speak_;
  double relative_error_ = 0;  // fading mean
};

}  // namespace antiphon
