#include "client/function_options.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace antiphon::client {
namespace {

constexpr char kForm[] =
    "must be NAME(PARAMETER, ...)=OUTPUT, such as set_timer(minutes:integer)={\"ok\":true}";

std::string Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

// A schema of what stands between the parentheses; empty: there is nothing.
Result<std::string> SchemaOf(std::string_view parameters) {
  if (Trimmed(parameters).empty()) return std::string();
  nlohmann::ordered_json properties = nlohmann::ordered_json::object();
  nlohmann::ordered_json required = nlohmann::ordered_json::array();
  for (size_t begin = 0; begin <= parameters.size();) {
    const size_t end = std::min(parameters.find(',', begin), parameters.size());
    const std::string_view parameter = parameters.substr(begin, end - begin);
    const size_t colon = parameter.find(':');
    const std::string name = Trimmed(parameter.substr(0, colon));
    if (name.empty() || properties.contains(name)) {
      return InvalidArgument("each parameter must have a name of its own");
    }
    properties[name] = nlohmann::ordered_json::object();
    if (colon != std::string_view::npos) properties[name]["type"] = Trimmed(parameter.substr(colon + 1));
    required.push_back(name);
    begin = end + 1;
  }
  const nlohmann::ordered_json schema = {
      {"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
  return schema.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

Result<AnsweredFunction> ParseFunction(const std::string& text) {
  const size_t open = text.find('(');
  const size_t close = text.find(")=");
  if (open == std::string::npos || close == std::string::npos || close < open) return InvalidArgument(kForm);
  AnsweredFunction answered;
  answered.function.name = Trimmed(std::string_view(text).substr(0, open));
  answered.output = text.substr(close + 2);
  if (answered.function.name.empty() || answered.output.empty()) return InvalidArgument(kForm);
  Result<std::string> schema = SchemaOf(std::string_view(text).substr(open + 1, close - open - 1));
  if (!schema.ok()) return schema.status();
  answered.function.parameters = *std::move(schema);
  return answered;
}

void AddFunctions(CLI::App* app, std::vector<AnsweredFunction>* functions) {
  app->add_option_function<std::vector<std::string>>(
         "--function",
         [functions](const std::vector<std::string>& texts) {
           functions->clear();
           for (const std::string& text : texts) {
             Result<AnsweredFunction> parsed = ParseFunction(text);
             if (!parsed.ok()) throw CLI::ValidationError("--function", parsed.status().message());
             functions->push_back(*std::move(parsed));
           }
         },
         "A function that the model may call, and what its calls come to: NAME(PARAMETER[:TYPE], "
         "...)=OUTPUT; "
         "repeatable")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("FUNCTION");
}

}  // namespace antiphon::client
