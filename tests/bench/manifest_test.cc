#include "bench/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace antiphon::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ManifestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/antiphon_manifest_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }

  std::string folder_;
};

TEST_F(ManifestTest, ReadsEveryField) {
  const std::string path = Write("questions.json", R"([
    {"wav": "a/1.wav", "question": "one plus one", "answer": "two", "voice": "rms", "row": "pairs",
     "speech_end": 1.25},
    {"question": "what is my name", "answer": ["ann", "your name is ann"],
     "before": [{"wav": "2.wav", "question": "my name is ann"}]}])");
  const auto questions = ReadQuestions(path);
  ASSERT_TRUE(questions.ok()) << questions.status().ToString();
  ASSERT_EQ(questions->size(), 2u);
  const Question& first = questions->at(0);
  EXPECT_EQ(first.wav, folder_ + "/a/1.wav");
  EXPECT_EQ(first.text, "one plus one");
  EXPECT_THAT(first.answers, ElementsAre("two"));
  EXPECT_EQ(first.voice, "rms");
  EXPECT_EQ(first.row, "pairs");
  EXPECT_EQ(first.speech_end, 1.25);
  const Question& second = questions->at(1);
  EXPECT_EQ(second.wav, "");
  EXPECT_FALSE(second.speech_end.has_value());
  EXPECT_THAT(second.answers, ElementsAre("ann", "your name is ann"));
  ASSERT_EQ(second.before.size(), 1u);
  EXPECT_EQ(second.before[0].wav, folder_ + "/2.wav");
}

TEST_F(ManifestTest, AFolderIsItsManifestOrItsRecordings) {
  Write("b.wav", "");
  Write("a.wav", "");
  Write("notes.txt", "");
  auto questions = ReadQuestions(folder_);
  ASSERT_TRUE(questions.ok());
  ASSERT_EQ(questions->size(), 2u);
  EXPECT_EQ(questions->at(0).wav, folder_ + "/a.wav");
  EXPECT_EQ(questions->at(1).wav, folder_ + "/b.wav");

  Write("manifest.json", R"([{"wav": "b.wav"}])");
  questions = ReadQuestions(folder_);
  ASSERT_TRUE(questions.ok());
  EXPECT_EQ(questions->size(), 1u);
}

TEST_F(ManifestTest, SaysWhatIsWrongAndWhere) {
  const auto failure = [&](const char* text) {
    return ReadQuestions(Write("m.json", text)).status().ToString();
  };
  EXPECT_THAT(failure("[{"), HasSubstr("is not JSON"));
  EXPECT_THAT(failure("{}"), HasSubstr("is not a list"));
  EXPECT_THAT(failure("[7]"), HasSubstr("m.json[0] is not an object"));
  EXPECT_THAT(failure(R"([{"wav": "a"}, {"voice": "x"}])"),
              HasSubstr("m.json[1] has neither wav nor question"));
  EXPECT_THAT(failure(R"([{"wav": 3}])"), HasSubstr("[0].wav is not a string"));
  EXPECT_THAT(failure(R"([{"wav": "a", "speech_end": "1"}])"), HasSubstr("[0].speech_end is not a time"));
  EXPECT_THAT(failure(R"([{"wav": "a", "speech_end": -1}])"), HasSubstr("[0].speech_end is not a time"));
  EXPECT_THAT(failure(R"([{"wav": "a", "answer": [1]}])"), HasSubstr("[0].answer"));
  EXPECT_THAT(failure(R"([{"wav": "a", "before": [{}]}])"), HasSubstr("[0].before[0] has neither"));
  EXPECT_EQ(ReadQuestions(Write("m.json", "[]")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadQuestions(folder_ + "/none").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace antiphon::bench
