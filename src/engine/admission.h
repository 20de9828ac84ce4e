// Whether one more sequence can be served.
#pragma once

#include "antiphon/status.h"
#include "common/clock.h"
#include "engine/cost_model.h"

namespace antiphon {

// OK, or RESOURCE_EXHAUSTED with a hint when to try again: when `open` sequences are `max_open` already, or
// when one more could make a step in which all of them hear or all of them speak a frame longer than
// `frame_period`, so that every one of them would fall behind. What has not been measured is not held against
// anybody, and the first sequence always gets in. Pure.
Status Admit(int open, int max_open, const StepCost& cost, Nanoseconds frame_period);

}  // namespace antiphon
