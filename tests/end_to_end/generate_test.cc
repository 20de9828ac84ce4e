// Generate the whole way: the model that ships, over a real socket.
#include "antiphon/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <future>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "media/wav.h"
#include "tests/end_to_end/model_fixture.h"
#include "tests/end_to_end/speak.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

constexpr char kQuestion[] = "what is the capital of france";
constexpr char kAnswer[] = "paris is the capital of france";

class GenerateTest : public ModelTest {
 protected:
  client::Generation Generate(std::vector<client::Part> parts, bool speak = true) {
    client::Generation generation;
    const Status status = client_->Generate({.parts = std::move(parts), .speak = speak}, {}, &generation);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return generation;
  }
  Status Refusal(const client::GenerateRequest& request) {
    client::Generation generation;
    return client_->Generate(request, {}, &generation);
  }
  client::Recording Spoken(const std::string& text) {
    Audio audio = Speak("en-us", text);
    return {std::move(audio.samples), audio.sample_rate};
  }
};

TEST_F(GenerateTest, AWrittenQuestionIsAnsweredAloud) {
  const client::Generation generation = Generate({client::TextPart{kQuestion}});
  EXPECT_EQ(generation.model, "wren");
  const client::Answer& answer = generation.answer;
  EXPECT_EQ(answer.text, kAnswer);
  EXPECT_EQ(answer.end, ResponseEnd::kCompleted);
  EXPECT_GT(answer.audio.size(), static_cast<size_t>(answer.sample_rate) / 2);
  EXPECT_EQ(answer.usage.heard_frames, 0);
  EXPECT_GT(answer.usage.spoken_frames, 6);
}

TEST_F(GenerateTest, ASpokenQuestionIsHeardAndAnsweredInWriting) {
  const client::Generation generation = Generate({Spoken(kQuestion)}, false);
  EXPECT_EQ(generation.answer.transcript, kQuestion) << "to the last word";
  EXPECT_EQ(generation.answer.text, kAnswer);
  EXPECT_TRUE(generation.answer.audio.empty());
  EXPECT_GT(generation.answer.usage.heard_frames, 10);
}

TEST_F(GenerateTest, AWavFileIsHeardAsItsSamplesAre) {
  const client::Recording spoken = Spoken(kQuestion);
  const auto wav = EncodeWav(spoken.samples, spoken.sample_rate);
  ASSERT_TRUE(wav.ok());
  const client::Generation generation = Generate({client::AudioFile{*wav, "audio/wav"}}, false);
  EXPECT_EQ(generation.answer.transcript, kQuestion);
  EXPECT_EQ(generation.answer.text, kAnswer);
}

TEST_F(GenerateTest, SpokenAndWrittenPartsMakeOneTurn) {
  const client::Generation generation =
      Generate({client::TextPart{"my name is ann"}, Spoken("what is my name")}, false);
  EXPECT_FALSE(generation.answer.transcript.empty());
  EXPECT_FALSE(generation.answer.text.empty());
  EXPECT_GT(generation.answer.usage.input_text_pieces, 0);
  EXPECT_GT(generation.answer.usage.heard_frames, 0);
}

TEST_F(GenerateTest, TheSameRequestGetsTheSameAnswerNextToOthers) {
  const client::Generation alone = Generate({client::TextPart{"count from three to seven"}});
  client::Generation beside[2];
  {
    std::vector<std::jthread> callers;
    for (client::Generation& generation : beside) {
      callers.emplace_back([&] { generation = Generate({client::TextPart{"count from three to seven"}}); });
    }
  }
  for (const client::Generation& generation : beside) {
    EXPECT_EQ(generation.answer.text, alone.answer.text);
    EXPECT_EQ(generation.answer.audio, alone.answer.audio);
  }
}

// Let in first: on a machine that is too slow for both the server would refuse it beside a conversation.
TEST_F(GenerateTest, AConversationGoesOnBesideIt) {
  std::promise<void> begun;
  bool told = false;
  client::GenerateOptions options;
  options.listener = [&](const client::Event&) {
    if (!std::exchange(told, true)) begun.set_value();
  };
  client::Generation generation;
  auto generating = std::async(std::launch::async, [&] {
    return client_->Generate({.parts = {client::TextPart{"count from one to ten"}}}, options, &generation);
  });
  ASSERT_EQ(begun.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
  auto conversation = Open();
  ASSERT_TRUE(conversation);
  EXPECT_EQ(Ask(*conversation, client::TypedQuestion{kQuestion}).text, kAnswer);
  EXPECT_EQ(generating.get(), OkStatus());
  EXPECT_EQ(generation.answer.end, ResponseEnd::kCompleted);
}

TEST_F(GenerateTest, WhatCannotBeDoneIsSaid) {
  const Status silence = Refusal({.parts = {client::Recording{std::vector<float>(32'000), 16000}}});
  EXPECT_EQ(silence.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(silence.message(), HasSubstr("no voice"));
  EXPECT_EQ(Refusal({}).code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(Refusal({.parts = {client::AudioFile{"not audio", "audio/wav"}}}).message(),
              HasSubstr("parts[0].audio.data"));
  EXPECT_THAT(Refusal({.parts = {client::AudioFile{"ab", "audio/midi"}}}).message(),
              HasSubstr("parts[0].audio.media_type"));
  // More than the model can remember: every text of its own is small enough.
  std::string long_text;
  while (long_text.size() < 2000) long_text += "all work and no play ";
  const Status full = Refusal({.parts = std::vector<client::Part>(64, client::TextPart{long_text})});
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted) << full.ToString();
  const auto models = client_->ListModels();
  ASSERT_TRUE(models.ok());
  if (!models->at(0).draws) {
    EXPECT_EQ(Refusal({.parts = {client::TextPart{"draw a tree"}}, .draw = true}).code(),
              StatusCode::kUnimplemented);
    EXPECT_EQ(Refusal({.parts = {Image{.width = 1, .height = 1, .rgb = {1, 2, 3}}}}).code(),
              StatusCode::kUnimplemented);
  }
  EXPECT_EQ(Generate({client::TextPart{kQuestion}}, false).answer.text, kAnswer) << "and it goes on";
}

TEST_F(GenerateTest, ACallThatIsStoppedLeavesItsPlace) {
  for (int i = 0; i < 12; ++i) {  // more than there are places
    std::stop_source source;
    client::GenerateOptions options;
    options.stop = source.get_token();
    options.listener = [&](const client::Event&) { source.request_stop(); };
    client::Generation generation;
    Status status = ResourceExhausted("not tried yet");
    // The place of the one before may take a moment to be free.
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (status.code() == StatusCode::kResourceExhausted && std::chrono::steady_clock::now() < give_up) {
      status =
          client_->Generate({.parts = {client::TextPart{"count from one to ten"}}}, options, &generation);
    }
    EXPECT_EQ(status.code(), StatusCode::kCancelled) << status.ToString();
  }
  EXPECT_EQ(Generate({client::TextPart{kQuestion}}, false).answer.text, kAnswer);
}

TEST_F(GenerateTest, ADrainLetsItFinish) {
  client::GenerateOptions options;
  bool told = false;
  options.listener = [&](const client::Event&) {
    if (!std::exchange(told, true)) daemon_.Signal(SIGTERM);
  };
  client::Generation generation;
  const Status status =
      client_->Generate({.parts = {client::TextPart{"count from one to five"}}}, options, &generation);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(generation.answer.end, ResponseEnd::kCompleted);
  EXPECT_EQ(daemon_.WaitForExit(), 0) << daemon_.StandardError();
}

}  // namespace
}  // namespace antiphon
