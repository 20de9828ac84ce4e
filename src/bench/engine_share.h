// What the engine adds to the arithmetic of model and codec in a step: taking work, planning, pages, batches,
// sampling, handing out.
#pragma once

#include <cstdint>
#include <string>

#include "antiphon/status.h"
#include "common/latency_summary.h"
#include "model/language_model.h"
#include "model/safetensors.h"

namespace antiphon::bench {

struct EngineShare {
  double speaking = 0;            // sequences that spoke in a step, on average: the planner may take fewer
  LatencySummary step;            // ms, from taking work in to the last result handed out
  LatencySummary engine;          // ms of it outside the calls of model and codec
  double allocations = 0;         // of a step
  double engine_allocations = 0;  // of these outside the calls of model and codec
  double page_faults = 0;         // of a step
};

// Runs an engine's loop with the codec and tokenizer of `folder` on this thread, with `sequences` (at least
// 1) that are asked again whenever they have answered, until there were `steps` steps in which any of them
// spoke; only those are counted. NOT_FOUND or DATA_LOSS as for loading, UNAVAILABLE when they hardly ever
// speak, or what one of them failed with.
Result<EngineShare> MeasureEngineShare(const std::string& folder, const LanguageModel& model, int sequences,
                                       int steps);

}  // namespace antiphon::bench
