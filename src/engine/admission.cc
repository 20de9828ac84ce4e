#include "engine/admission.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace antiphon {
namespace {

constexpr double kLeastContext = 512;  // positions

// One step in which `speaking` sequences speak a frame each and `hearing` ones hear one.
Nanoseconds Step(const StepCost& cost, int64_t hearing, int64_t speaking) {
  const int64_t rows = hearing + speaking;
  const double context = std::max(cost.mean_attended(), kLeastContext);
  const Nanoseconds predicted =
      cost.Predict({.rows = rows,
                    .heard = hearing,
                    .spoken = speaking,
                    .attended = static_cast<int64_t>(context * static_cast<double>(rows))});
  return Nanoseconds(static_cast<int64_t>(static_cast<double>(predicted.count()) * cost.headroom()));
}

// The slowest step of `sequences` of which some hear and at least one speaks. Costs are linear but for what a
// stage costs at all, so the slowest mix is at one of the ends.
Nanoseconds MixedStep(const StepCost& cost, int64_t sequences) {
  return std::max({Step(cost, 0, sequences), Step(cost, 1, sequences - 1), Step(cost, sequences - 1, 1)});
}

// How long it takes to serve `sequences` once, and a step of that.
struct Round {
  Nanoseconds total{};
  Nanoseconds step{};
};

template <typename StepOf>
Round RoundOf(int64_t sequences, Nanoseconds max_step, StepOf step_of) {
  int64_t steps = 2;
  while (steps < sequences && step_of((sequences + steps - 1) / steps) > max_step) ++steps;
  const Nanoseconds step = step_of((sequences + steps - 1) / steps);
  return {steps * step, step};
}

std::string Ms(Nanoseconds time) { return std::to_string(static_cast<int>(Milliseconds(time))) + " ms"; }

Status Busy(int64_t sequences, const std::string& what, Nanoseconds takes, Nanoseconds may_take) {
  return ResourceExhausted("the machine is busy: with " + std::to_string(sequences) + " sequences " + what +
                           " would take " + Ms(takes) + ", must take at most " + Ms(may_take) +
                           "; try again in a few seconds");
}

}  // namespace

Status Admit(int open, int live, const StepCost& cost, const AdmissionTerms& terms) {
  if (open >= terms.max_open) {
    return ResourceExhausted("all " + std::to_string(terms.max_open) +
                             " sequences are in use; try again when a conversation has ended");
  }
  if (live == 0) return OkStatus();
  const int64_t sequences = live + 1;
  const Round heard = RoundOf(sequences, terms.max_step, [&](int64_t part) { return Step(cost, part, 0); });
  if (heard.total > terms.heard_period) {
    return Busy(sequences, "hearing a frame of each", heard.total, terms.heard_period);
  }
  const Round mixed = RoundOf(sequences, terms.max_step, [&](int64_t part) { return MixedStep(cost, part); });
  if (mixed.total > terms.spoken_period) {
    return Busy(sequences, "speaking a frame of each", mixed.total, terms.spoken_period);
  }
  const Nanoseconds first_audio = (1 + terms.first_audio_steps) * mixed.step;
  if (first_audio > terms.first_audio_target) {
    return Busy(sequences, "the first sound of an answer", first_audio, terms.first_audio_target);
  }
  return OkStatus();
}

}  // namespace antiphon
