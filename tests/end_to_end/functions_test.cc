// The model that ships calls the functions that a client declares, and says what came of it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/end_to_end/model_fixture.h"

namespace antiphon {
namespace {

const char* const kTimer =
    R"({"type":"object","properties":{"minutes":{"type":"integer"}},"required":["minutes"]})";
const char* const kWeather =
    R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})";

class FunctionsTest : public ModelTest {
 protected:
  static client::ConversationOptions Declaring(bool speak) {
    client::ConversationOptions options;
    options.settings.speak = speak;
    options.settings.functions = std::vector{client::Function{.name = "set_timer", .parameters = kTimer},
                                             client::Function{.name = "get_weather", .parameters = kWeather}};
    return options;
  }

  static client::Answer AskFor(client::Conversation& conversation, const std::string& text,
                               const std::string& output) {
    client::AskOptions asking;
    asking.call_function = [&](const client::FunctionCallDone& call) {
      EXPECT_TRUE(call.fits) << call.fault;
      return output;
    };
    client::Answer answer;
    const Status status = client::Ask(conversation, client::TypedQuestion{text}, asking, &answer);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return answer;
  }
};

TEST_F(FunctionsTest, ARequestBecomesACallAndItsOutputAnAnswer) {
  const auto conversation = Open(Declaring(/*speak=*/false));
  ASSERT_TRUE(conversation);
  const client::Answer timer = AskFor(*conversation, "set a timer for five minutes", R"({"ok":true})");
  ASSERT_EQ(timer.calls.size(), 1u);
  EXPECT_EQ(timer.calls[0].call.name, "set_timer");
  EXPECT_EQ(timer.calls[0].call.arguments, R"({"minutes":5})");
  EXPECT_EQ(timer.text, "okay your timer is set for five minutes");
  const client::Answer weather =
      AskFor(*conversation, "what is the weather in rome", R"({"sky":"sunny","degrees":20})");
  ASSERT_EQ(weather.calls.size(), 1u);
  EXPECT_EQ(weather.calls[0].call.arguments, R"({"city":"rome"})");
  EXPECT_EQ(weather.text, "let me see it is sunny in rome and twenty degrees");
}

TEST_F(FunctionsTest, ItSpeaksBeforeAndAfterTheCall) {
  const auto conversation = Open(Declaring(/*speak=*/true));
  ASSERT_TRUE(conversation);
  const client::Answer answer = AskFor(*conversation, "set a timer for five minutes", R"({"ok":true})");
  EXPECT_EQ(answer.calls.size(), 1u);
  EXPECT_EQ(answer.text, "okay your timer is set for five minutes");
  EXPECT_GT(answer.audio.size(), static_cast<size_t>(answer.sample_rate))
      << "both parts take more than a second";
}

TEST_F(FunctionsTest, WhatIsNotDeclaredIsNotCalled) {
  client::ConversationOptions options;
  options.settings.speak = false;
  const auto conversation = Open(options);
  ASSERT_TRUE(conversation);
  const client::Answer answer = Ask(*conversation, client::TypedQuestion{"set a timer for five minutes"});
  EXPECT_TRUE(answer.calls.empty());
  EXPECT_EQ(answer.text, "sorry i have no timer here");
}

}  // namespace
}  // namespace antiphon
