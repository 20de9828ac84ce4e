// Speaking into an answer of the model that ships: what the server makes of it, and what the model remembers.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "media/resampler.h"
#include "tests/conversation/voice.h"
#include "tests/end_to_end/model_fixture.h"
#include "tests/end_to_end/speak.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kRate = 24000;
constexpr size_t kPacket = kRate / 50;  // 20 ms
constexpr const char* kLongAnswer = "count from one to ten";

class InterruptionTest : public ModelTest {
 protected:
  // Waits for the next event of a kind; others are forgotten. Fails the test when none comes.
  template <typename Kind>
  std::optional<Kind> Await(client::Conversation& conversation) {
    const auto give_up = steady_clock::now() + std::chrono::seconds(30);
    while (steady_clock::now() < give_up) {
      const Result<client::Event> event = conversation.NextEvent(std::chrono::seconds(30));
      if (!event.ok()) break;
      if (const auto* found = std::get_if<Kind>(&event->body)) return *found;
      if (std::holds_alternative<client::Closed>(event->body)) break;
    }
    ADD_FAILURE() << "no such event";
    return std::nullopt;
  }

  // Speaks in real time.
  static void Microphone(client::Conversation& conversation, std::vector<float> samples) {
    samples.resize((samples.size() + kPacket - 1) / kPacket * kPacket);
    const auto start = steady_clock::now();
    for (size_t begin = 0; begin < samples.size(); begin += kPacket) {
      std::this_thread::sleep_until(start + milliseconds(20) * static_cast<int>(begin / kPacket + 1));
      EXPECT_TRUE(conversation.AppendAudio(std::span<const float>(samples).subspan(begin, kPacket)).ok());
    }
  }
  static std::vector<float> Silence(int ms) {
    return std::vector<float>(static_cast<size_t>(kRate) * static_cast<size_t>(ms) / 1000);
  }
  static std::vector<float> Question(const std::string& text) {
    const Audio audio = Speak("en-us", text);
    return Resample(audio.samples, audio.sample_rate, kRate).value();
  }

  // Whether `heard` is what `text` begins with, whole words only.
  static bool IsBeginning(const std::string& heard, const std::string& text) {
    return text.starts_with(heard) &&
           (heard.size() == text.size() || heard.empty() || text[heard.size()] == ' ');
  }
};

TEST_F(InterruptionTest, AQuestionInTheMiddleOfAnAnswerIsAnswered) {
  auto conversation = Open();
  ASSERT_TRUE(conversation);
  ASSERT_TRUE(conversation->AppendText(kLongAnswer).ok());
  ASSERT_TRUE(conversation->Commit().ok());
  ASSERT_TRUE(Await<client::AudioDelta>(*conversation));
  Microphone(*conversation, Silence(800));
  Microphone(*conversation, Question("what is the capital of france"));
  Microphone(*conversation, Silence(600));
  ASSERT_TRUE(Await<client::PlaybackPaused>(*conversation));
  const auto interrupted = Await<client::ResponseInterrupted>(*conversation);
  ASSERT_TRUE(interrupted);
  EXPECT_TRUE(IsBeginning(interrupted->heard_text, "one two three four five six seven eight nine ten"))
      << interrupted->heard_text;
  const auto ended = Await<client::TurnEnded>(*conversation);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->transcript, "what is the capital of france");
  const auto done = Await<client::ResponseDone>(*conversation);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->text, "paris is the capital of france");
}

TEST_F(InterruptionTest, ACoughLetsTheAnswerGoOn) {
  auto conversation = Open();
  ASSERT_TRUE(conversation);
  ASSERT_TRUE(conversation->AppendText(kLongAnswer).ok());
  ASSERT_TRUE(conversation->Commit().ok());
  ASSERT_TRUE(Await<client::AudioDelta>(*conversation));
  Microphone(*conversation, Silence(400));
  Microphone(*conversation, Voice(250, kRate));
  Microphone(*conversation, Silence(600));
  const auto paused = Await<client::PlaybackPaused>(*conversation);
  const auto resumed = Await<client::PlaybackResumed>(*conversation);
  ASSERT_TRUE(paused && resumed);
  EXPECT_EQ(resumed->played_samples, paused->played_samples);
  // The session knows of nothing: the next turn is as ever.
  EXPECT_EQ(Ask(*conversation, client::TypedQuestion{"what day comes after monday"}).text,
            "tuesday comes after monday");
}

TEST_F(InterruptionTest, OnlyWhatWasHeardStaysInTheContext) {
  const auto models = client_->ListModels();
  ASSERT_TRUE(models.ok());
  ASSERT_TRUE(models->front().tells_words);
  size_t shorter = 0;
  for (const int heard_ms : {700, 1300, 1900}) {
    SCOPED_TRACE(heard_ms);
    auto conversation = Open();
    ASSERT_TRUE(conversation);
    const client::Answer whole = Ask(*conversation, client::TypedQuestion{kLongAnswer});
    ASSERT_TRUE(conversation->Cancel(static_cast<uint64_t>(heard_ms) * kRate / 1000).ok());
    const auto interrupted = Await<client::ResponseInterrupted>(*conversation);
    ASSERT_TRUE(interrupted);
    EXPECT_TRUE(IsBeginning(interrupted->heard_text, whole.text)) << interrupted->heard_text;
    EXPECT_GT(interrupted->heard_text.size(), shorter) << "more was heard";
    shorter = interrupted->heard_text.size();
    EXPECT_LT(interrupted->heard_text.size(), whole.text.size());
    const client::Answer next = Ask(*conversation, client::TypedQuestion{"what day comes after monday"});
    EXPECT_EQ(next.text, "tuesday comes after monday");
    // Of the answer a position a frame is left, and two or three before them; the next turn has its own.
    const int after = next.usage.context_positions - whole.usage.context_positions;
    EXPECT_LT(after, 60 + heard_ms / 80 - whole.usage.spoken_frames);
    EXPECT_GT(after, heard_ms / 80 - whole.usage.spoken_frames);
  }
}

}  // namespace
}  // namespace antiphon
