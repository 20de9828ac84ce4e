// Whether one more sequence can be served.
#pragma once

#include "antiphon/status.h"
#include "common/clock.h"
#include "engine/cost_model.h"

namespace antiphon {

// OK, or RESOURCE_EXHAUSTED with a hint when to try again: when `open` sequences are `max_open` already, or
// when the steps it takes for one more than the `live` ones among them (those with deadlines) to hear, or to
// speak, a frame each were together longer than `frame_period`, so that all would fall behind, and one
// without deadlines would find no time left. A step holds as many as `max_step` allows. What has not been
// measured is not held against anybody, and the first live sequence always gets in. Pure.
Status Admit(int open, int live, int max_open, const StepCost& cost, Nanoseconds frame_period,
             Nanoseconds max_step);

}  // namespace antiphon
