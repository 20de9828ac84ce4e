// The steps an engine runs before it says it is ready.
#pragma once

#include <cstdint>
#include <vector>

#include "antiphon/engine.h"
#include "antiphon/status.h"
#include "engine/engine_loop.h"

namespace antiphon {

// Has sequences of its own type, hear and speak, one and several at a time (up to `max_sequences` and 16), so
// that the first real ones find everything allocated and their cost known. What it learnt stays, the counters
// start from zero again. `pieces` are text pieces to type, `frame_samples` as the codec's. The first error a
// sequence met, if any: the engine is then no good. Engine's thread, before EngineLoop::Run.
Status WarmUp(EngineLoop& loop, const std::vector<int64_t>& pieces, int64_t frame_samples, int max_sequences);

}  // namespace antiphon
