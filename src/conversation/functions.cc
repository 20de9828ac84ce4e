#include "conversation/functions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

namespace antiphon {
namespace {

using Json = nlohmann::ordered_json;  // a schema's order is that of the signature

constexpr size_t kMaxFunctions = 16;
constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxDescriptionBytes = 1024;
constexpr size_t kMaxParametersBytes = 4096;
constexpr size_t kMaxParameters = 16;
constexpr size_t kMaxBytes = 16384;          // of all together
constexpr size_t kMaxSignatureBytes = 1000;  // of all together: no more pieces than the engine takes
constexpr int kMaxNesting = 16;
constexpr char kNameRule[] = "1 to 64 characters of a-z, 0-9 and _";
constexpr std::array kTypes = {"string", "number", "integer", "boolean", "object", "array", "null"};

// Names are read and written as text pieces, which know no capital letters.
bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// For a message: what is long, or may be no text, is not worth repeating.
std::string Quoted(std::string_view text) {
  const bool plain =
      text.size() <= kMaxNameBytes && std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  return plain ? "\"" + std::string(text) + "\"" : std::to_string(text.size()) + " bytes";
}

// Discarded if it is no JSON, or nested too deeply.
Json Parse(const std::string& text) {
  bool too_deep = false;
  const auto watch_depth = [&too_deep](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMaxNesting;
    return !too_deep;
  };
  Json parsed = Json::parse(text, watch_depth, /*allow_exceptions=*/false);
  return too_deep ? Json(Json::value_t::discarded) : parsed;
}

Json SchemaOf(const Function& function) {
  return function.parameters.empty() ? Json::object() : Parse(function.parameters);
}

// An object that may have `key`, which is then an object or a list.
const Json* Find(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

bool IsType(const Json& type) {
  return type.is_string() && std::ranges::find(kTypes, type.get_ref<const std::string&>()) != kTypes.end();
}

// Each of these tells what is wrong; empty: nothing.

std::string FaultOfProperty(const std::string& name, const Json& property) {
  if (!IsName(name)) return "has the property " + Quoted(name) + ", must have names of " + kNameRule;
  if (!property.is_object()) return "says of \"" + name + "\" no JSON object";
  const Json* type = Find(property, "type");
  if (type == nullptr) return "";
  const bool known = type->is_array() ? !type->empty() && std::ranges::all_of(*type, IsType) : IsType(*type);
  return known ? "" : "gives \"" + name + "\" a type that JSON Schema does not know";
}

std::string FaultOfSchema(const Json& schema) {
  if (schema.is_discarded()) return "is no JSON, or nested more than 16 deep";
  if (!schema.is_object()) return "must be a JSON object";
  if (const Json* type = Find(schema, "type"); type != nullptr && *type != "object") {
    return "must have the type \"object\"";
  }
  const Json none = Json::object();
  const Json* properties = Find(schema, "properties");
  if (properties == nullptr) properties = &none;
  if (!properties->is_object()) return "must have an object as its properties";
  if (properties->size() > kMaxParameters) {
    return "has " + std::to_string(properties->size()) + " properties, must have at most 16";
  }
  for (const auto& [name, property] : properties->items()) {
    if (std::string fault = FaultOfProperty(name, property); !fault.empty()) return fault;
  }
  const Json* required = Find(schema, "required");
  if (required == nullptr) return "";
  const bool known = required->is_array() && std::ranges::all_of(*required, [&](const Json& name) {
                       return name.is_string() && properties->contains(name.get_ref<const std::string&>());
                     });
  return known ? "" : "must have a list of its properties as what is required";
}

std::optional<Refusal> CheckFunction(const Function& function, const std::string& path) {
  const auto refuse = [&](const std::string& field, const std::string& fault) {
    return Refusal{InvalidArgument(path + field + " " + fault), path + field};
  };
  if (!IsName(function.name)) {
    return refuse(".name", "is " + Quoted(function.name) + ", must be " + kNameRule);
  }
  if (function.description.size() > kMaxDescriptionBytes) {
    return refuse(".description",
                  "has " + std::to_string(function.description.size()) + " bytes, must have at most 1024");
  }
  if (function.parameters.size() > kMaxParametersBytes) {
    return refuse(".parameters",
                  "has " + std::to_string(function.parameters.size()) + " bytes, must have at most 4096");
  }
  const std::string fault = FaultOfSchema(SchemaOf(function));
  return fault.empty() ? std::nullopt : std::optional(refuse(".parameters", fault));
}

bool Fits(const Json& value, const std::string& type) {
  if (type == "string") return value.is_string();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "null") return value.is_null();
  if (value.is_number_float()) return std::trunc(value.get<double>()) == value.get<double>();  // 5.0 is one
  return value.is_number_integer();
}

// What the schema says of one property; any value fits one without a type.
bool FitsProperty(const Json& value, const Json& property) {
  const Json* type = Find(property, "type");
  if (type == nullptr) return true;
  if (type->is_string()) return Fits(value, type->get<std::string>());
  return std::ranges::any_of(*type, [&](const Json& one) { return Fits(value, one.get<std::string>()); });
}

}  // namespace

std::optional<Refusal> CheckFunctions(const std::vector<Function>& functions, const std::string& path) {
  const auto refuse = [&](const std::string& fault) {
    return Refusal{InvalidArgument(path + " " + fault), path};
  };
  if (functions.size() > kMaxFunctions) {
    return refuse("has " + std::to_string(functions.size()) + " entries, must have at most 16");
  }
  size_t bytes = 0;
  std::set<std::string> names;
  for (size_t i = 0; i < functions.size(); ++i) {
    const Function& function = functions[i];
    const std::string entry = path + "[" + std::to_string(i) + "]";
    if (auto refusal = CheckFunction(function, entry)) return refusal;
    if (!names.insert(function.name).second) {
      const std::string field = entry + ".name";
      return Refusal{InvalidArgument(field + " is \"" + function.name + "\", as that of another function"),
                     field};
    }
    bytes += function.name.size() + function.description.size() + function.parameters.size();
  }
  if (bytes > kMaxBytes) {
    return refuse("has " + std::to_string(bytes) + " bytes together, must have at most 16384");
  }
  if (const size_t length = SignaturesOf(functions).size(); length > kMaxSignatureBytes) {
    return refuse("has names of " + std::to_string(length) + " bytes together, must have at most 1000");
  }
  return std::nullopt;
}

std::string SignaturesOf(const std::vector<Function>& functions) {
  std::string signatures;
  for (const Function& function : functions) {
    if (!signatures.empty()) signatures += " , ";
    signatures += function.name;
    const Json schema = SchemaOf(function);
    const Json* properties = Find(schema, "properties");
    if (properties == nullptr) continue;
    for (const auto& [name, property] : properties->items()) signatures += " " + name;
  }
  return signatures;
}

std::string FaultOfCall(const std::vector<Function>& functions, const std::string& name,
                        const std::string& arguments) {
  const auto function = std::ranges::find(functions, name, &Function::name);
  if (function == functions.end()) return "no function of this name is declared";
  const Json given = Parse(arguments);
  if (!given.is_object()) return "the arguments are no JSON object";
  const Json schema = SchemaOf(*function);
  if (const Json* required = Find(schema, "required")) {
    for (const Json& property : *required) {
      const auto& wanted = property.get_ref<const std::string&>();
      if (!given.contains(wanted)) return "\"" + wanted + "\" is missing";
    }
  }
  const Json* properties = Find(schema, "properties");
  if (properties == nullptr) return "";
  for (const auto& [property, said] : properties->items()) {
    const auto value = given.find(property);
    if (value == given.end() || FitsProperty(*value, said)) continue;
    return "\"" + property + "\" is of the type " + value->type_name() + ", must be " + said["type"].dump();
  }
  return "";
}

}  // namespace antiphon
