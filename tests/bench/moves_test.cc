// Conversations that move, with a server whose answers are known and whose engine carries over what was said,
// but no answer that is under way: what is lost with that must be found.
#include "bench/moves.h"

#include <gtest/gtest.h>

#include "tests/server/server_fixture.h"

namespace antiphon::bench {
namespace {

class MovesTest : public ServerFixture {
 protected:
  MovesOptions Options() const {
    MovesOptions options;
    options.from = options.to = server_->address();
    options.requests = {"blue 7", "red 9", "green 3"};
    options.trials = 8;
    options.timeout = std::chrono::milliseconds(2000);
    return options;
  }
};

TEST_F(MovesTest, WhatIsLostIsFoundAndNothingElse) {
  StartServer({}, {.step = std::chrono::milliseconds(1), .answer_frames = 2});
  int told = 0;
  const auto results = RunMoves(Options(), [&](const Move&, int done) { EXPECT_EQ(done, ++told); });
  ASSERT_TRUE(results.ok()) << results.status().ToString();
  EXPECT_EQ(results->undisturbed.text.at("response-2"), "you said red 9");
  ASSERT_EQ(results->all.size(), 8u);
  int between = 0, within = 0;
  for (const Move& one : results->all) {
    EXPECT_TRUE(one.moved) << one.status.ToString();
    EXPECT_GT(one.bytes, 0u);
    EXPECT_FALSE(one.in_speech);
    (one.in_response ? within : between) += 1;
    EXPECT_EQ(one.Good(), !one.in_response) << "at " << one.moment << ": " << one.status.ToString();
  }
  EXPECT_GT(between, 0);
  EXPECT_GT(within, 0);
}

TEST_F(MovesTest, NobodyThereIsTheResult) {
  StartServer({}, {});
  MovesOptions options = Options();
  options.to = "127.0.0.1:1";
  EXPECT_EQ(RunMoves(options, {}).status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace antiphon::bench
