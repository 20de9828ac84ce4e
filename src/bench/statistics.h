// The numbers every benchmark reports, by one definition.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/latency_summary.h"

namespace antiphon::bench {

// {"count", "median", "p95", "p99", "min", "max"} in ms, rounded to a microsecond; null when there are no
// values.
nlohmann::json SummaryJson(const LatencySummary& summary);

// The head of a table of such summaries, and a line of it. No line for null.
std::string SummaryHead();
std::string SummaryLine(const std::string& name, const nlohmann::json& summary);

// The processor's name and how many cores this process may use.
nlohmann::json MachineJson();

// `asked`, or if that is 0 as many as antiphond would use: one a core, at most 4.
int UsedThreads(int asked);

}  // namespace antiphon::bench
