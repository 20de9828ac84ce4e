#include "engine/admission.h"

#include <algorithm>
#include <string>

namespace antiphon {

Status Admit(int open, int max_open, const StepCost& cost, Nanoseconds frame_period) {
  if (open >= max_open) {
    return ResourceExhausted("all " + std::to_string(max_open) +
                             " sequences are in use; try again when a conversation has ended");
  }
  if (open == 0) return OkStatus();
  const int64_t sequences = open + 1;
  const Nanoseconds step = std::max(cost.Predict({.rows = sequences, .heard = sequences, .spoken = 0}),
                                    cost.Predict({.rows = sequences, .heard = 0, .spoken = sequences}));
  if (step <= frame_period) return OkStatus();
  return ResourceExhausted(
      "the machine is busy: with " + std::to_string(sequences) + " sequences a frame of " +
      std::to_string(static_cast<int>(Milliseconds(frame_period))) + " ms would take " +
      std::to_string(static_cast<int>(Milliseconds(step))) + " ms; try again in a few seconds");
}

}  // namespace antiphon
