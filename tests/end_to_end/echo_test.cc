// A client with a loudspeaker beside its microphone, and the model that ships: the echo of an answer is not
// the user.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "media/resampler.h"
#include "tests/end_to_end/model_fixture.h"
#include "tests/end_to_end/speak.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kRate = 24000;
constexpr size_t kPacket = kRate / 50;  // 20 ms

// Plays answers as they come, and picks up with its microphone the user and, half as loud, what it plays.
class LoudRoom {
 public:
  explicit LoudRoom(client::Conversation& conversation) : conversation_(conversation) {}

  // So long in real time, the user saying `voice` meanwhile. Stops when `done` does.
  void Run(milliseconds time, const std::vector<float>& voice = {}) {
    const auto start = steady_clock::now();
    for (int packet = 0; packet * milliseconds(20) < time && !done; ++packet) {
      std::this_thread::sleep_until(start + milliseconds(20) * (packet + 1));
      TakeEvents();
      std::vector<float> picked_up(kPacket);
      for (size_t i = 0; i < kPacket; ++i) {
        if (at_ >= kDelay && at_ - kDelay < played_.size()) picked_up[i] = 0.5f * played_[at_ - kDelay];
        if (!played_.empty() && !paused_) ++at_;
        const size_t spoken = static_cast<size_t>(packet) * kPacket + i;
        if (spoken < voice.size()) picked_up[i] += voice[spoken];
      }
      EXPECT_TRUE(conversation_.AppendAudio(picked_up).ok());
    }
  }

  int pauses = 0;
  int interruptions = 0;
  std::string transcript;  // of the last turn
  std::string answer;      // the last
  bool done = false;

 private:
  static constexpr size_t kDelay = kRate * 50 / 1000;  // of devices and room

  void TakeEvents() {
    while (true) {
      const Result<client::Event> event = conversation_.NextEvent(std::chrono::nanoseconds(0));
      if (!event.ok()) return;
      if (const auto* audio = std::get_if<client::AudioDelta>(&event->body)) {
        played_.insert(played_.end(), audio->samples.begin(), audio->samples.end());
      } else if (std::holds_alternative<client::PlaybackPaused>(event->body)) {
        ++pauses;
        paused_ = true;
      } else if (std::holds_alternative<client::PlaybackResumed>(event->body)) {
        paused_ = false;
      } else if (std::holds_alternative<client::ResponseInterrupted>(event->body)) {
        ++interruptions;
        paused_ = false;
        at_ = played_.size() + kDelay;
      } else if (const auto* ended = std::get_if<client::TurnEnded>(&event->body)) {
        transcript = ended->transcript;
      } else if (const auto* response = std::get_if<client::ResponseDone>(&event->body)) {
        answer = response->text;
      } else if (std::holds_alternative<client::Closed>(event->body)) {
        done = true;
      }
    }
  }

  client::Conversation& conversation_;
  std::vector<float> played_;
  size_t at_ = 0;
  bool paused_ = false;
};

class EchoTest : public ModelTest {
 protected:
  std::unique_ptr<client::Conversation> Count(bool cancel_echo) {
    client::ConversationOptions options;
    options.output_audio = {client::AudioEncoding::kPcm16, kRate};
    options.settings.enhancement = client::SpeechEnhancement{.echo_cancellation = cancel_echo};
    auto conversation = Open(options);
    if (!conversation) return nullptr;
    EXPECT_TRUE(conversation->AppendText("count from one to ten").ok());
    EXPECT_TRUE(conversation->Commit().ok());
    return conversation;
  }
};

TEST_F(EchoTest, InterruptsTheAnswerIfNobodyCancelsIt) {
  const auto conversation = Count(false);
  ASSERT_TRUE(conversation);
  LoudRoom room(*conversation);
  room.Run(milliseconds(3000));
  EXPECT_GT(room.pauses, 0);
}

TEST_F(EchoTest, IsCancelledAndTheUserStillHeard) {
  const auto conversation = Count(true);
  ASSERT_TRUE(conversation);
  LoudRoom room(*conversation);
  room.Run(milliseconds(1600));
  EXPECT_EQ(room.pauses, 0);
  EXPECT_EQ(room.interruptions, 0);
  const Audio question = Speak("en-us", "what is the capital of france");
  room.Run(milliseconds(4500), Resample(question.samples, question.sample_rate, kRate).value());
  EXPECT_EQ(room.interruptions, 1);
  EXPECT_EQ(room.transcript, "what is the capital of france");
  EXPECT_EQ(room.answer, "paris is the capital of france");
}

}  // namespace
}  // namespace antiphon
