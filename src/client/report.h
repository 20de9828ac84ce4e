// What the command line says about an exchange: for people, and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "antiphon/ask.h"
#include "antiphon/client.h"

namespace antiphon::client {

// One turn as a JSON object; docs/client.md describes its fields. What did not happen is null.
nlohmann::json TurnJson(const Answer& answer);
nlohmann::json ModelJson(const ModelInfo& model);
// {"code": "UNAVAILABLE", "message": ...}, or null for OK.
nlohmann::json ErrorJson(const Status& status);

// One turn in a few lines, the last one ended.
std::string TurnText(const Answer& answer, const std::string& model);
// All models as a table.
std::string ModelTable(const std::vector<ModelInfo>& models);

}  // namespace antiphon::client
