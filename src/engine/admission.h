// Whether one more sequence can be served.
#pragma once

#include "antiphon/status.h"
#include "common/clock.h"
#include "engine/cost_model.h"

namespace antiphon {

// What a sequence is promised, and by what engine.
struct AdmissionTerms {
  int max_open = 16;                 // sequences
  Nanoseconds heard_period{};        // a frame of what is heard
  Nanoseconds spoken_period{};       // a frame of the fastest speech that may be asked for
  Nanoseconds first_audio_target{};  // from the end of a turn
  int64_t first_audio_steps = 1;     // positions that are run from there to the first frame of speech
  Nanoseconds max_step{};            // PlannerLimits::max_step
};

// OK, or RESOURCE_EXHAUSTED with a hint when to try again: when `open` sequences are terms.max_open already,
// or when with one more than the `live` ones among them (those with deadlines) some deadline could not be
// kept, so that all would fall behind, and one without deadlines would find no time left.
//
// Each of the n live sequences hears or speaks a frame a period, in whatever mix is slowest. A frame that
// comes just after a step has begun waits for its end and is run in the next, so a period must hold at least
// two steps: n sequences in m >= 2 steps, the fewest that max_step allows. And a turn that ends while all
// others speak waits for one such step and then needs first_audio_steps of them. Steps are taken to last what
// is predicted times StepCost::headroom(), with contexts as they have been of late, but 512 positions at
// least: conversations grow. What has not been measured is not held against anybody, and the first live
// sequence always gets in. Pure.
Status Admit(int open, int live, const StepCost& cost, const AdmissionTerms& terms);

}  // namespace antiphon
