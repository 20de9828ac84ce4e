#include "antiphon/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace antiphon {
namespace {

TEST(StatusTest, DefaultIsOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status, OkStatus());
  EXPECT_EQ(status.ToString(), "OK");
}

TEST(StatusTest, MakersSetTheirCode) {
  const struct {
    Status status;
    StatusCode code;
    const char* text;
  } cases[] = {
      {Cancelled("m"), StatusCode::kCancelled, "CANCELLED: m"},
      {InvalidArgument("m"), StatusCode::kInvalidArgument, "INVALID_ARGUMENT: m"},
      {DeadlineExceeded("m"), StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED: m"},
      {NotFound("m"), StatusCode::kNotFound, "NOT_FOUND: m"},
      {ResourceExhausted("m"), StatusCode::kResourceExhausted, "RESOURCE_EXHAUSTED: m"},
      {FailedPrecondition("m"), StatusCode::kFailedPrecondition, "FAILED_PRECONDITION: m"},
      {OutOfRange("m"), StatusCode::kOutOfRange, "OUT_OF_RANGE: m"},
      {Internal("m"), StatusCode::kInternal, "INTERNAL: m"},
      {Unavailable("m"), StatusCode::kUnavailable, "UNAVAILABLE: m"},
      {DataLoss("m"), StatusCode::kDataLoss, "DATA_LOSS: m"},
  };
  for (const auto& c : cases) {
    EXPECT_FALSE(c.status.ok());
    EXPECT_EQ(c.status.code(), c.code);
    EXPECT_EQ(c.status.message(), "m");
    EXPECT_EQ(c.status.ToString(), c.text);
  }
}

TEST(StatusTest, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(StatusCode::kDataLoss); ++code) {
    names.insert(StatusCodeName(static_cast<StatusCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(StatusCode::kDataLoss) + 1);
  EXPECT_FALSE(names.contains("UNKNOWN"));
  EXPECT_EQ(StatusCodeName(static_cast<StatusCode>(99)), "UNKNOWN");
}

TEST(StatusTest, MessageIsLeftOutWhenEmpty) {
  EXPECT_EQ(Status(StatusCode::kNotFound, "").ToString(), "NOT_FOUND");
}

TEST(ResultTest, HoldsAValue) {
  Result<std::string> result = std::string("hello");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result.status().ok());
  EXPECT_EQ(*result, "hello");
  EXPECT_EQ(result->size(), 5u);
}

TEST(ResultTest, HoldsAStatus) {
  const Result<int> result = NotFound("no such voice");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status(), NotFound("no such voice"));
}

TEST(ResultTest, GivesUpAMoveOnlyValue) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

}  // namespace
}  // namespace antiphon
