// What a run of turns says, for people and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/manifest.h"
#include "bench/turns.h"

namespace antiphon::bench {

// {"options", "machine", "turns": how many, "failures", "refusals", "cut_ins", "latency_ms": {name: {"count",
// "median", "p95", "p99", "min", "max"}}, "underruns", "endpoint_within_240_ms", "rows": [...], "results":
// [one object a turn]}. docs/benchmarks.md explains the names.
nlohmann::json TurnsJson(const std::vector<Question>& questions, const std::vector<Turn>& turns,
                         const TurnsOptions& options, double seconds);

// The tables; `report` as made above.
std::string TurnsText(const nlohmann::json& report);

// A line for one wrong or failed turn; empty for the others.
std::string ComplaintText(const Question& question, const Turn& turn);

}  // namespace antiphon::bench
