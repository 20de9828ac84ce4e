// A client whose microphone hears its loudspeaker.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using server_event::PlaybackPaused;

class EchoTest : public ConversationFixture {
 protected:
  void CancelEcho(bool cancel) {
    Client(client_event::SessionUpdate{{.speech_enhancement = {{.echo_cancellation = cancel}}}});
  }
  // An answer of speech, all of it sent at once.
  void AnswerWith(int ms) {
    BeginAnswer();
    Say(1, ms);
  }
  // A voice that sets in within 150 ms, as voices do.
  static std::vector<float> Speech(int ms, int sample_rate) {
    std::vector<float> speech = Voice(ms, sample_rate);
    const auto rise = static_cast<size_t>(sample_rate * 150 / 1000);
    for (size_t i = 0; i < std::min(rise, speech.size()); ++i) {
      speech[i] *= static_cast<float>(i) / static_cast<float>(rise);
    }
    return speech;
  }
  // Frames [from_ms, ms) of the answer to turn `turn`.
  void Say(uint64_t turn, int ms, int from_ms = 0) {
    const std::vector<float> speech = Speech(ms, 16000);
    for (auto begin = static_cast<size_t>(16 * from_ms); begin + 1280 <= speech.size(); begin += 1280) {
      Engine(turn, ResponseAudio{{speech.begin() + static_cast<std::ptrdiff_t>(begin),
                                  speech.begin() + static_cast<std::ptrdiff_t>(begin) + 1280},
                                 clock_.Now()});
    }
  }
  // What the microphone picks up of it, 40 ms later and half as loud, for so long, with `voice` from there
  // on.
  void Echo(int ms, int voice_from_ms = 0, const std::vector<float>& voice = {}) {
    const auto samples = static_cast<size_t>(kRate * ms / 1000);
    const auto delay = static_cast<size_t>(kRate * 40 / 1000);
    std::vector<float> echo(delay, 0.0f);
    for (const float sample : Speech(ms, kRate)) echo.push_back(0.5f * sample);
    echo.resize(samples);
    const auto from = static_cast<size_t>(kRate * voice_from_ms / 1000);
    for (size_t i = 0; i < voice.size() && from + i < samples; ++i) echo[from + i] += voice[i];
    Microphone(echo);
  }
};

TEST_F(EchoTest, InterruptsTheAnswerWithItself) {
  AnswerWith(4000);
  Echo(3000);
  EXPECT_FALSE(All<PlaybackPaused>().empty());
}

TEST_F(EchoTest, DoesNotWhenItIsCancelled) {
  CancelEcho(true);
  AnswerWith(4000);
  Echo(3900);
  EXPECT_TRUE(All<PlaybackPaused>().empty());
  EXPECT_TRUE(record_->cuts.empty());
}

TEST_F(EchoTest, TheUserIsHeardBesideIt) {
  CancelEcho(true);
  AnswerWith(8000);
  // A voice of other pitch than the loudspeaker's: Voice at another rate.
  Echo(4500, 2500, Voice(3000, kRate * 3 / 4));
  ASSERT_FALSE(All<PlaybackPaused>().empty());
  EXPECT_GE(One<PlaybackPaused>().played_samples, static_cast<uint64_t>(kRate) * 2400 / 1000);
}

TEST_F(EchoTest, ASettingInMidAnswerIsForTheNext) {
  AnswerWith(2000);
  Pause(100);
  CancelEcho(true);
  Echo(1500);
  EXPECT_FALSE(All<PlaybackPaused>().empty()) << "what the ear is in the middle of stays as it is";
  EngineIsDone();
  Pause(3000);
  events_.clear();
  Client(client_event::TextAppend{"more"});
  Client(client_event::Commit{});
  EngineAnswers(2, TurnEndCause::kCommit);
  Say(2, 4000);
  Echo(3900);
  EXPECT_TRUE(All<PlaybackPaused>().empty());
}

// Enhanced or not, the same sound is told at the same place.
TEST_F(EchoTest, OffsetsAreThoseOfTheClientsSamples) {
  const auto voice = [this] {
    events_.clear();
    Pause(1000);
    Speak(800);
    Pause(600);
    Client(client_event::Clear{});
    return std::pair{One<server_event::SpeechStarted>().audio_offset_samples,
                     One<server_event::SpeechStopped>().audio_offset_samples};
  };
  const auto plain = voice();
  CancelEcho(true);
  const auto enhanced = voice();
  const uint64_t between = uint64_t{kRate} * 2400 / 1000;
  EXPECT_NEAR(static_cast<double>(enhanced.first), static_cast<double>(plain.first + between), 0.011 * kRate);
  EXPECT_NEAR(static_cast<double>(enhanced.second), static_cast<double>(plain.second + between),
              0.011 * kRate);
}

TEST_F(EchoTest, ACommitHearsAllThatWasSaid) {
  Client(client_event::SessionUpdate{
      {.speech_enhancement = {{.noise_suppression = 4, .echo_cancellation = true}}}});
  Speak(800);  // 10 frames
  Client(client_event::Commit{});
  ASSERT_EQ(record_->frames.size(), 10u);
  double tail = 0.0;
  const std::vector<float>& last = record_->frames.back().samples;
  for (size_t i = last.size() - 160; i < last.size(); ++i) tail += std::abs(last[i]);
  EXPECT_GT(tail / 160, 0.005) << "the last 10 ms of it too";
}

}  // namespace
}  // namespace antiphon
