// Simulated users who interrupt a server with scripted answers.
#include "bench/interruptions.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "media/wav.h"
#include "tests/conversation/voice.h"
#include "tests/server/server_fixture.h"

namespace antiphon::bench {
namespace {

class InterruptionsTest : public ServerFixture {
 protected:
  void SetUp() override {
    char name[] = "/tmp/antiphon_interruptions_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    ASSERT_TRUE(WriteWav(Wav(), Voice(900, 16000), 16000).ok());
    StartServer({}, {.answer_frames = 100});
    options_.server = server_->address();
    options_.request = "blue 7";
    options_.noises = options_.voices = options_.cancels = 0;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Wav() const { return folder_ + "/voice.wav"; }
  std::vector<Interrupted> Run(const std::vector<Question>& questions = {}) {
    auto results = RunInterruptions(questions, options_, {});
    EXPECT_TRUE(results.ok()) << results.status().ToString();
    return results.ok() ? std::move(*results) : std::vector<Interrupted>{};
  }

  std::string folder_;
  InterruptionsOptions options_;
};

TEST_F(InterruptionsTest, ANoiseIsGoodWhenTheAnswerGoesOn) {
  options_.noises = 1;
  const auto results = Run();
  ASSERT_EQ(results.size(), 1u);
  EXPECT_TRUE(results[0].status.ok()) << results[0].status.ToString();
  EXPECT_EQ(results[0].what, "cough");
  EXPECT_FALSE(results[0].interrupted);
  EXPECT_TRUE(results[0].Good());
}

TEST_F(InterruptionsTest, AVoiceIsGoodWhenItCutsTheAnswer) {
  options_.voices = 1;
  Question question;
  question.wav = Wav();
  question.text = "anything";
  question.answers = {"i heard you"};
  const auto results = Run({question});
  ASSERT_EQ(results.size(), 1u);
  EXPECT_TRUE(results[0].status.ok()) << results[0].status.ToString();
  EXPECT_TRUE(results[0].interrupted);
  ASSERT_TRUE(results[0].paused_ms);
  EXPECT_GT(*results[0].paused_ms, 0);
  EXPECT_TRUE(results[0].HeardIsABeginning()) << results[0].heard;
  EXPECT_EQ(results[0].right, true) << results[0].next;
  EXPECT_TRUE(results[0].Good());
}

TEST_F(InterruptionsTest, ACancelIsJudgedByWhatTheModelRemembers) {
  options_.cancels = 1;
  const auto results = Run();
  ASSERT_EQ(results.size(), 1u);
  EXPECT_TRUE(results[0].status.ok()) << results[0].status.ToString();
  EXPECT_TRUE(results[0].interrupted);
  // The fake answers "you said what did you say", which is not what was heard.
  EXPECT_EQ(results[0].right, false) << results[0].next;
  EXPECT_FALSE(results[0].Good());
}

TEST_F(InterruptionsTest, VoicesNeedRecordings) {
  options_.voices = 1;
  EXPECT_EQ(RunInterruptions({}, options_, {}).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(InterruptionsTest, WhatFailsIsAResult) {
  options_.voices = 1;
  Question question;
  question.wav = folder_ + "/none.wav";
  const auto results = Run({question});
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].status.code(), StatusCode::kNotFound);
  EXPECT_FALSE(results[0].Good());
}

TEST(InterruptedTest, WhatWasHeardIsABeginningInWholeWords) {
  Interrupted one;
  one.text = "one two three";
  for (const char* heard : {"", "one", "one two", "one two three"}) {
    one.heard = heard;
    EXPECT_TRUE(one.HeardIsABeginning()) << heard;
  }
  for (const char* heard : {"two", "one tw", "one three", "one two three four"}) {
    one.heard = heard;
    EXPECT_FALSE(one.HeardIsABeginning()) << heard;
  }
}

}  // namespace
}  // namespace antiphon::bench
