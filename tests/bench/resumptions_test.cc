// Conversations that are cut, with a server whose answers are known.
#include "bench/resumptions.h"

#include <gtest/gtest.h>

#include "tests/conversation/voice.h"
#include "tests/server/server_fixture.h"

namespace antiphon::bench {
namespace {

class ResumptionsTest : public ServerFixture {
 protected:
  static FakeEngineOptions Engine() {
    return {.step = std::chrono::milliseconds(1), .answer_frames = 30, .frames_of_turn = 1'000'000};
  }
  ResumptionsOptions Options() const {
    ResumptionsOptions options;
    options.server = server_->address();
    options.requests = {"blue 7", "red 9"};
    options.speech = Voice(1000, 24000);
    options.cuts = 10;
    return options;
  }
};

TEST_F(ResumptionsTest, CutConversationsAreAsUndisturbedOnes) {
  StartServer({}, Engine());
  int told = 0;
  const auto results =
      RunResumptions(Options(), [&](const Resumption&, int done) { EXPECT_EQ(done, ++told); });
  ASSERT_TRUE(results.ok()) << results.status().ToString();
  EXPECT_EQ(results->undisturbed.text.at("response-2"), "you said red 9");
  EXPECT_EQ(results->undisturbed.transcripts, "blue 7\nred 9\nsome words\n");
  EXPECT_EQ(results->undisturbed.audio.at("response-3").size(), 30u * 1920);
  ASSERT_EQ(results->all.size(), 10u);
  EXPECT_EQ(told, 10);
  for (const Resumption& one : results->all) {
    EXPECT_TRUE(one.Good()) << "cut at " << one.cut_at_byte << ": " << one.status.ToString();
    EXPECT_EQ(one.cuts, 1);
    EXPECT_TRUE(one.outage_ms.has_value());
    EXPECT_GT(one.outage_ms.value_or(0), 0);
  }
}

TEST_F(ResumptionsTest, AServerThatKeepsNothingFails) {
  StartServer({.resume_grace = std::chrono::milliseconds(0)}, Engine());
  const auto results = RunResumptions(Options(), {});
  ASSERT_TRUE(results.ok()) << results.status().ToString();
  for (const Resumption& one : results->all) {
    EXPECT_FALSE(one.Good());
    EXPECT_FALSE(one.status.ok());
  }
}

TEST_F(ResumptionsTest, NobodyThereIsTheResult) {
  EXPECT_EQ(RunResumptions({.server = "nowhere", .speech = {}}, {}).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace antiphon::bench
