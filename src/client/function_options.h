// The option of the command line that declares a function and says what its calls come to.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "antiphon/client.h"
#include "antiphon/status.h"

namespace antiphon::client {

struct AnsweredFunction {
  Function function;
  std::string output;  // of every call of it
};

// Reads "set_timer(minutes:integer, label)={\"ok\":true}": all parameters are required, those without a type
// of JSON Schema may be of any. INVALID_ARGUMENT for what is not written so; which names are allowed the
// server says.
Result<AnsweredFunction> ParseFunction(const std::string& text);

// Adds --function to `app`, whose parsing then fills `functions`, which outlives it.
void AddFunctions(CLI::App* app, std::vector<AnsweredFunction>* functions);

}  // namespace antiphon::client
