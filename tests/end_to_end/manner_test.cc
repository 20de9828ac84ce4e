// The model that ships, asked in writing, answers in both voices at all speeds.
#include <gtest/gtest.h>

#include "tests/end_to_end/model_fixture.h"
#include "tests/end_to_end/recogniser.h"

namespace antiphon {
namespace {

constexpr char kQuestion[] = "what is the capital of france";
constexpr char kAnswer[] = "paris is the capital of france";

class MannerTest : public ModelTest {
 protected:
  client::Answer AskIn(const std::string& voice, SpeechSpeed speed) {
    client::ConversationOptions options;
    options.output_audio = {client::AudioEncoding::kPcm16, 16000};
    options.settings.voice = voice;
    options.settings.speed = speed;
    auto conversation = Open(options);
    return conversation ? Ask(*conversation, client::TypedQuestion{kQuestion}) : client::Answer{};
  }
};

TEST_F(MannerTest, TheSameWordsTakeAsLongAsTheSpeedSays) {
  const client::Answer normal = AskIn("own", SpeechSpeed::kNormal);
  ASSERT_EQ(normal.text, kAnswer);
  EXPECT_EQ(normal.audio.size(), static_cast<size_t>(normal.usage.spoken_frames) * 1280);
  for (const char* voice : {"own", "low"}) {
    const client::Answer slow = AskIn(voice, SpeechSpeed::kSlow), fast = AskIn(voice, SpeechSpeed::kFast);
    // The codes are the same, so are the frames.
    for (const client::Answer* answer : {&slow, &fast}) {
      EXPECT_EQ(answer->text, kAnswer);
      EXPECT_EQ(answer->usage.spoken_frames, normal.usage.spoken_frames);
    }
    EXPECT_EQ(slow.audio.size() * 4, normal.audio.size() * 5);
    EXPECT_EQ(fast.audio.size() * 5, normal.audio.size() * 4);
  }
}

TEST_F(MannerTest, EveryMannerIsUnderstood) {
  const std::vector<std::string> answers = {kAnswer,
                                            "rome is the capital of italy",
                                            "madrid is the capital of spain",
                                            "paris is the capital of italy",
                                            "london is the capital of france",
                                            "berlin is the capital of germany",
                                            "i am sorry i do not know that",
                                            "hello how can i help you"};
  for (const char* voice : {"own", "low"}) {
    for (const SpeechSpeed speed : {SpeechSpeed::kSlow, SpeechSpeed::kNormal, SpeechSpeed::kFast}) {
      const client::Answer answer = AskIn(voice, speed);
      EXPECT_EQ(Recognise(answer.audio, answer.sample_rate, answers), kAnswer)
          << voice << " " << static_cast<int>(speed);
    }
  }
}

TEST_F(MannerTest, ThereIsAChoice) {
  const auto models = client_->ListModels();
  ASSERT_TRUE(models.ok());
  EXPECT_EQ(models->at(0).voices, (std::vector<std::string>{"own", "low"}));
  EXPECT_EQ(models->at(0).speeds.size(), 3u);
  client::ConversationOptions options;
  options.settings.voice = "nobody";
  const auto refused = client_->Open(options);
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(refused.status().message().find("\"low\""), std::string::npos) << refused.status().message();
}

}  // namespace
}  // namespace antiphon
