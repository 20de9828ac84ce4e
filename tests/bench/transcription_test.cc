#include "bench/transcription.h"

#include <gtest/gtest.h>

namespace antiphon::bench {
namespace {

using client::Event;

Event Audio(const std::string& response, uint64_t first, size_t samples) {
  return {.received = {}, .body = client::AudioDelta{response, std::vector<float>(samples, 0.5f), first}};
}

TEST(TranscriptionTest, KeepsAllThatWasToldByResponse) {
  Transcription told;
  EXPECT_TRUE(AddTo({{}, client::TurnEnded{TurnEndCause::kCommit, "hello"}}, &told).ok());
  EXPECT_TRUE(AddTo({{}, client::TextDelta{"response-1", "good "}}, &told).ok());
  EXPECT_TRUE(AddTo({{}, client::TextDelta{"response-1", "morning"}}, &told).ok());
  EXPECT_TRUE(AddTo(Audio("response-1", 0, 10), &told).ok());
  EXPECT_TRUE(AddTo(Audio("response-1", 10, 5), &told).ok());
  EXPECT_TRUE(AddTo(Audio("response-2", 0, 3), &told).ok());
  EXPECT_EQ(told.transcripts, "hello\n");
  EXPECT_EQ(told.text.at("response-1"), "good morning");
  EXPECT_EQ(told.audio.at("response-1").size(), 15u);
  EXPECT_EQ(told.audio.at("response-2").size(), 3u);
}

TEST(TranscriptionTest, AudioWithAHoleOrTwiceIsAFault) {
  Transcription told;
  ASSERT_TRUE(AddTo(Audio("response-1", 0, 10), &told).ok());
  EXPECT_EQ(AddTo(Audio("response-1", 11, 10), &told).code(), StatusCode::kDataLoss);
  EXPECT_EQ(AddTo(Audio("response-1", 0, 10), &told).code(), StatusCode::kDataLoss);
  EXPECT_EQ(told.audio.at("response-1").size(), 10u);
}

TEST(TranscriptionTest, TextsAreComparedApartFromAudio) {
  Transcription a, b;
  for (Transcription* each : {&a, &b}) {
    ASSERT_TRUE(AddTo({{}, client::TextDelta{"response-1", "good"}}, each).ok());
  }
  ASSERT_TRUE(AddTo(Audio("response-1", 0, 1), &a).ok());
  EXPECT_TRUE(a.SameText(b));
  EXPECT_NE(a, b);
  ASSERT_TRUE(AddTo({{}, client::TurnEnded{TurnEndCause::kCommit, "x"}}, &b).ok());
  EXPECT_FALSE(a.SameText(b));
}

TEST(TranscriptionTest, AnErrorOfTheServersIsOne) {
  Transcription told;
  client::ServerError error;
  error.status = InvalidArgument("no");
  EXPECT_EQ(AddTo({{}, error}, &told), InvalidArgument("no"));
}

}  // namespace
}  // namespace antiphon::bench
