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

// Writes to standard output. What is not UTF-8 is replaced: it must be JSON whatever the server sent.
void PrintJson(const nlohmann::json& output);

// "heard    what was heard", without an end of line.
std::string Labelled(const std::string& label, const std::string& text);
// The speech and the pictures of an answer, and how it ended if not by itself; the last line ended.
std::string AnswerText(const Answer& answer);
// A line, ended.
std::string UsageText(const Usage& usage);
// One turn in a few lines, the last one ended.
std::string TurnText(const Answer& answer, const std::string& model);
// All models as a table.
std::string ModelTable(const std::vector<ModelInfo>& models);

}  // namespace antiphon::client
