#include "engine/admission.h"

#include <algorithm>
#include <string>

namespace antiphon {
namespace {

// One step in which `sequences` hear, or speak, a frame each, whichever is longer.
Nanoseconds Step(const StepCost& cost, int64_t sequences) {
  return std::max(cost.Predict({.rows = sequences, .heard = sequences, .spoken = 0}),
                  cost.Predict({.rows = sequences, .heard = 0, .spoken = sequences}));
}

// A frame for each of `sequences`, in as few steps of at most `max_step` as it takes.
Nanoseconds Round(const StepCost& cost, int64_t sequences, Nanoseconds max_step) {
  int64_t together = 1;
  while (together < sequences && Step(cost, together + 1) <= max_step) ++together;
  const int64_t rest = sequences % together;
  return sequences / together * Step(cost, together) + (rest > 0 ? Step(cost, rest) : Nanoseconds::zero());
}

}  // namespace

Status Admit(int open, int live, int max_open, const StepCost& cost, Nanoseconds frame_period,
             Nanoseconds max_step) {
  if (open >= max_open) {
    return ResourceExhausted("all " + std::to_string(max_open) +
                             " sequences are in use; try again when a conversation has ended");
  }
  if (live == 0) return OkStatus();
  const Nanoseconds round = Round(cost, live + 1, max_step);
  if (round <= frame_period) return OkStatus();
  return ResourceExhausted(
      "the machine is busy: with " + std::to_string(live + 1) + " sequences a frame of " +
      std::to_string(static_cast<int>(Milliseconds(frame_period))) + " ms would take " +
      std::to_string(static_cast<int>(Milliseconds(round))) + " ms; try again in a few seconds");
}

}  // namespace antiphon
