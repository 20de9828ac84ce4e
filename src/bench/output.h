// The JSON file a benchmark leaves.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "antiphon/status.h"

namespace antiphon::bench {

// Writes `report` to `path`; nothing when that is empty. UNAVAILABLE when it cannot be written.
Status WriteReport(const nlohmann::json& report, const std::string& path);

// 0, or 1 with the status on standard error.
int ExitStatus(const Status& status);

}  // namespace antiphon::bench
