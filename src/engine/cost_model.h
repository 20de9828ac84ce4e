// What a step costs on this machine, learnt from the steps that were run.
#pragma once

#include <cstdint>

#include "common/clock.h"

namespace antiphon {

// Time of one stage as fixed + per_unit * units + per_attended * attended: a least-squares plane through past
// measurements, whose weight fades exponentially, so that it follows a machine that gets busier. No part is
// ever negative. A slope that the measurements of late say nothing about (steps of one size only, or whose
// contexts grow with their rows) stays as it was, and what was learnt before Settle keeps a say in the slopes
// for ever: that steps of one and two rows differ by their noise must not tell what one of sixteen costs. A
// value.
class StageCost {
 public:
  // REQUIRES: units > 0. `attended`: positions of the cache that are read, of a stage that reads any.
  void Learn(int64_t units, Nanoseconds took, int64_t attended = 0);

  // 0 for no units, and before anything was learnt. Never decreasing in `units` or `attended`.
  Nanoseconds Predict(int64_t units, int64_t attended = 0) const;

  // What was learnt so far was a trial of all sizes.
  void Settle();

  bool learnt() const { return late_.weight > 0; }
  // Of late, of each unit; 0 before anything was learnt.
  double mean_attended() const { return late_.units > 0 ? late_.attended / late_.units : 0; }

 private:
  // Weighted sums over (units, attended, time): enough for the plane.
  struct Sums {
    double weight = 0;
    double units = 0;
    double attended = 0;
    double time = 0;
    double units_squared = 0;
    double units_attended = 0;
    double units_time = 0;
    double attended_squared = 0;
    double attended_time = 0;
  };
  // Weighted sums of products of what they differ from their means by.
  struct Spread {
    explicit Spread(const Sums& sums);

    double units, attended, units_attended, units_time, attended_time;
  };
  void Fit();

  Sums late_;
  Sums trial_;  // of a small weight
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
  // See StageCost: of each stage.
  void Settle();

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
