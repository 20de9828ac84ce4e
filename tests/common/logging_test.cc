#include "common/logging.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace antiphon {
namespace {

class LoggingTest : public testing::Test {
 protected:
  void TearDown() override { SetLogLevel(LogLevel::kInfo); }
};

// An argument that tells whether it was formatted.
struct Witness {
  bool* touched;
};

}  // namespace
}  // namespace antiphon

template <>
struct fmt::formatter<antiphon::Witness> : fmt::formatter<int> {
  auto format(const antiphon::Witness& witness, fmt::format_context& context) const {
    *witness.touched = true;
    return fmt::formatter<int>::format(1, context);
  }
};

namespace antiphon {
namespace {

TEST_F(LoggingTest, WritesOneLineWithLevelToStandardError) {
  testing::internal::CaptureStderr();
  LogInfo("session {} has {} frames", "s1", 12);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find(" I ["), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("] session s1 has 12 frames\n")) << text;
}

TEST_F(LoggingTest, BelowTheLevelNothingIsWrittenOrFormatted) {
  SetLogLevel(LogLevel::kWarning);
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  bool touched = false;
  testing::internal::CaptureStderr();
  LogInfo("{}", Witness{&touched});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_FALSE(touched);
  testing::internal::CaptureStderr();
  LogWarning("{}", Witness{&touched});
  EXPECT_NE(testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(touched);
}

TEST_F(LoggingTest, OffSilencesErrors) {
  SetLogLevel(LogLevel::kOff);
  testing::internal::CaptureStderr();
  LogError("x");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_FALSE(LogEnabled(LogLevel::kOff));
}

TEST_F(LoggingTest, AMessageCannotForgeALine) {
  testing::internal::CaptureStderr();
  LogInfo("{}", "name\n2030 I [1] forged\x1b[2J");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("name\\x0a2030 I [1] forged\\x1b[2J\n"), std::string::npos) << text;
}

TEST_F(LoggingTest, ParsesItsLevels) {
  const struct {
    const char* name;
    LogLevel level;
  } cases[] = {{"debug", LogLevel::kDebug},
               {"info", LogLevel::kInfo},
               {"warning", LogLevel::kWarning},
               {"error", LogLevel::kError},
               {"off", LogLevel::kOff}};
  for (const auto& c : cases) {
    const Result<LogLevel> level = ParseLogLevel(c.name);
    ASSERT_TRUE(level.ok()) << c.name;
    EXPECT_EQ(*level, c.level);
  }
  for (const char* name : {"", "INFO", "verbose", "info "}) {
    EXPECT_EQ(ParseLogLevel(name).status().code(), StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace antiphon
