// Which functions may be declared, what the model reads of them, which calls fit.
#include "conversation/functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "conversation/session_config.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

constexpr char kTimer[] =
    R"({"type":"object","properties":{"minutes":{"type":"integer"}},"required":["minutes"]})";
constexpr char kLight[] = R"({
  "type": "object",
  "properties": {
    "state": {"type": "string", "description": "on or off"},
    "room": {"type": ["string", "null"]},
    "level": {"type": "number"},
    "anything": {}
  },
  "required": ["state"]
})";

std::vector<Function> Functions() {
  return {{"set_timer", "", kTimer}, {"switch_light", "", kLight}, {"stop", "", ""}};
}

// What is wrong with one function.
Refusal Wrong(const Function& function) {
  const auto refusal = CheckFunctions({function}, "functions");
  EXPECT_TRUE(refusal) << function.name << " " << function.parameters;
  return refusal.value_or(Refusal{});
}

TEST(FunctionsTest, SignaturesKeepTheSchemasOrder) {
  EXPECT_EQ(CheckFunctions(Functions(), "functions").has_value(), false);
  EXPECT_EQ(SignaturesOf(Functions()), "set_timer minutes , switch_light state room level anything , stop");
  EXPECT_EQ(SignaturesOf({}), "");
  EXPECT_EQ(SignaturesOf({{"stop", "", "{}"}}), "stop");
}

TEST(FunctionsTest, NamesHaveARule) {
  const std::string hostile(1000, 'x');
  for (const std::string& name : {std::string(), std::string("Set"), std::string("a-b"), std::string("a b"),
                                  std::string("\xc3\xa9"), std::string(65, 'a'), hostile}) {
    const Refusal refusal = Wrong({name, "", ""});
    EXPECT_EQ(refusal.status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(refusal.field, "functions[0].name");
    EXPECT_THAT(refusal.status.message(), HasSubstr("functions[0].name is "));
    EXPECT_LT(refusal.status.message().size(), 200u);
  }
  EXPECT_FALSE(CheckFunctions({{std::string(64, 'a'), "", ""}, {"a_9", "", ""}}, "functions"));
}

TEST(FunctionsTest, NamesDiffer) {
  const auto refusal = CheckFunctions({{"stop", "", ""}, {"go", "", ""}, {"stop", "", ""}}, "functions");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->field, "functions[2].name");
  EXPECT_THAT(refusal->status.message(), HasSubstr("another function"));
}

TEST(FunctionsTest, ASchemaIsOfAnObject) {
  std::string deep;
  for (int i = 0; i < 30; ++i) deep += R"({"a":)";
  deep += "1" + std::string(30, '}');
  const std::string schemas[] = {
      "{",
      "[]",
      "5",
      "\xff",
      deep,
      R"({"type":"string"})",
      R"({"properties":[]})",
      R"({"properties":{"Room":{}}})",
      R"({"properties":{"":{}}})",
      R"({"properties":{"a":5}})",
      R"({"properties":{"a":{"type":"float"}}})",
      R"({"properties":{"a":{"type":[]}}})",
      R"({"properties":{"a":{"type":["string",1]}}})",
      R"({"properties":{"a":{}},"required":"a"})",
      R"({"properties":{"a":{}},"required":["b"]})",
      R"({"required":[1]})",
  };
  for (const std::string& schema : schemas) {
    const Refusal refusal = Wrong({"f", "", schema});
    EXPECT_EQ(refusal.status.code(), StatusCode::kInvalidArgument) << schema;
    EXPECT_EQ(refusal.field, "functions[0].parameters") << schema;
    EXPECT_THAT(refusal.status.message(), HasSubstr("functions[0].parameters ")) << schema;
    EXPECT_LT(refusal.status.message().size(), 300u);
  }
}

TEST(FunctionsTest, EveryLimitIsNamed) {
  EXPECT_THAT(Wrong({"f", std::string(1025, 'x'), ""}).status.message(), HasSubstr("at most 1024"));
  const std::string wide = R"({"x":")" + std::string(4096, 'x') + "\"}";
  EXPECT_THAT(Wrong({"f", "", wide}).status.message(), HasSubstr("at most 4096"));
  std::string many = R"({"properties":{)";
  for (int i = 0; i < 17; ++i) many += (i > 0 ? ",\"p" : "\"p") + std::to_string(i) + "\":{}";
  EXPECT_THAT(Wrong({"f", "", many + "}}"}).status.message(), HasSubstr("at most 16"));

  const auto limit = [](size_t count, const std::string& description, size_t name) {
    std::vector<Function> functions;
    for (size_t i = 0; i < count; ++i) {
      functions.push_back({std::string(name, 'a') + std::to_string(i), description, ""});
    }
    const auto refusal = CheckFunctions(functions, "functions");
    return refusal ? refusal->field + ": " + refusal->status.message() : "";
  };
  EXPECT_EQ(limit(16, "", 10), "");
  EXPECT_THAT(limit(17, "", 10), HasSubstr("functions: functions has 17 entries, must have at most 16"));
  EXPECT_THAT(limit(16, std::string(1024, 'x'), 10), HasSubstr("at most 16384"));
  EXPECT_THAT(limit(16, "", 61), HasSubstr("at most 1000"));
}

TEST(FunctionsTest, CallsThatFit) {
  const std::pair<const char*, const char*> calls[] = {
      {"set_timer", R"({"minutes":5})"},
      {"set_timer", R"({"minutes":5.0})"},
      {"set_timer", R"({"minutes":-1,"more":[]})"},
      {"switch_light", R"({"state":"on"})"},
      {"switch_light", R"({"state":"on","room":null,"level":1,"anything":{"a":[]}})"},
      {"switch_light", R"({"state":"on","room":"kitchen","level":0.5})"},
      {"stop", "{}"},
      {"stop", R"({"now":true})"},
  };
  for (const auto& [name, arguments] : calls) {
    EXPECT_EQ(FaultOfCall(Functions(), name, arguments), "") << name << " " << arguments;
  }
}

TEST(FunctionsTest, CallsThatDoNot) {
  const struct {
    const char* name;
    std::string arguments;
    const char* fault;
  } calls[] = {
      {"set_time", R"({"minutes":5})", "no function of this name"},
      {"", "{}", "no function of this name"},
      {"set_timer", "", "no JSON object"},
      {"set_timer", R"({"minutes":5)", "no JSON object"},
      {"set_timer", "[5]", "no JSON object"},
      {"set_timer", "five", "no JSON object"},
      {"set_timer", R"({"minutes":)" + std::string(2000, '['), "no JSON object"},
      {"set_timer", "{}", "\"minutes\" is missing"},
      {"set_timer", R"({"minutes":"5"})", "\"minutes\" is of the type string, must be \"integer\""},
      {"set_timer", R"({"minutes":5.5})", "\"minutes\" is of the type number"},
      {"switch_light", R"({"state":true})", "\"state\" is of the type boolean"},
      {"switch_light", R"({"state":"on","room":1})", "must be [\"string\",\"null\"]"},
      {"stop", "now", "no JSON object"},
  };
  for (const auto& [name, arguments, fault] : calls) {
    EXPECT_THAT(FaultOfCall(Functions(), name, arguments), HasSubstr(fault)) << name << " " << arguments;
  }
}

// As a setting of a session.

SessionConfig Applied(const ConfigUpdate& update, const SessionConfig& current = {}) {
  auto applied = ApplyUpdate(current, update, {.calls_functions = true});
  EXPECT_TRUE(std::holds_alternative<SessionConfig>(applied));
  return std::get<SessionConfig>(applied);
}

TEST(FunctionsTest, AnUpdateReplacesAllOfThem) {
  SessionConfig config = Applied({.functions = Functions()});
  EXPECT_EQ(config.functions, Functions());
  config = Applied({.max_response_seconds = 5}, config);
  EXPECT_EQ(config.functions, Functions()) << "unset: unchanged";
  config = Applied({.functions = std::vector<Function>{{"stop", "", ""}}}, config);
  EXPECT_EQ(config.functions.size(), 1u);
  config = Applied({.functions = std::vector<Function>{}}, config);
  EXPECT_TRUE(config.functions.empty());
}

TEST(FunctionsTest, AnUpdateWithAMistakeChangesNothing) {
  const auto refused = ApplyUpdate({}, {.functions = std::vector<Function>{{"go", "", ""}, {"NO", "", ""}}},
                                   {.calls_functions = true});
  ASSERT_TRUE(std::holds_alternative<Refusal>(refused));
  EXPECT_EQ(std::get<Refusal>(refused).field, "session_update.config.functions[1].name");
}

TEST(FunctionsTest, AModelThatCallsNoneTakesNone) {
  const auto refused = ApplyUpdate({}, {.functions = Functions()}, {});
  ASSERT_TRUE(std::holds_alternative<Refusal>(refused));
  EXPECT_EQ(std::get<Refusal>(refused).status.code(), StatusCode::kUnimplemented);
  EXPECT_EQ(std::get<Refusal>(refused).field, "session_update.config.functions");
  const auto none = ApplyUpdate({}, {.functions = std::vector<Function>{}}, {});
  EXPECT_TRUE(std::holds_alternative<SessionConfig>(none));
}

}  // namespace
}  // namespace antiphon
