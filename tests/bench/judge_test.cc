#include "bench/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(JudgeTest, WordsFoldCaseAndPunctuation) {
  EXPECT_THAT(Words("  Two plus  three\tis: FIVE!\n"), ElementsAre("two", "plus", "three", "is", "five"));
  EXPECT_THAT(Words("it's o'clock"), ElementsAre("its", "oclock"));
  EXPECT_THAT(Words("\xc3\xa9t\xc3\xa9 3"), ElementsAre("\xc3\xa9t\xc3\xa9", "3"));
  EXPECT_THAT(Words(""), IsEmpty());
  EXPECT_THAT(Words(" ,.! "), IsEmpty());
}

TEST(JudgeTest, AnyOfTheAnswersIsRight) {
  const std::vector<std::string> answers = {"two plus three is five", "it is five"};
  EXPECT_TRUE(IsRight("Two plus three is five.", answers));
  EXPECT_TRUE(IsRight("it is five", answers));
  EXPECT_FALSE(IsRight("two plus three is nine", answers));
  EXPECT_FALSE(IsRight("two plus three is five five", answers));
  EXPECT_FALSE(IsRight("", answers));
}

TEST(JudgeTest, WordErrorsAreTheLeastEdits) {
  const auto errors = [](const char* reference, const char* heard) {
    return CountWordErrors(reference, heard).errors;
  };
  EXPECT_EQ(errors("a b c d", "a b c d"), 0);
  EXPECT_EQ(errors("a b c d", "a x c d"), 1);
  EXPECT_EQ(errors("a b c d", "a c d"), 1);
  EXPECT_EQ(errors("a b c d", "a b x c d"), 1);
  EXPECT_EQ(errors("a b c d", "b c d e"), 2);
  EXPECT_EQ(errors("a b c d", ""), 4);
  EXPECT_EQ(errors("", "a b"), 2);
  EXPECT_EQ(CountWordErrors("a b c d", "x").words, 4);
}

}  // namespace
}  // namespace antiphon::bench
