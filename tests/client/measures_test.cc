// The two measures behind the latency: where speech ends, and what a loudspeaker would have played.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "client/loudspeaker.h"
#include "client/speech_end.h"

namespace antiphon::client {
namespace {

using namespace std::chrono_literals;

constexpr int kRate = 16000;

std::vector<float> Tone(double seconds, float amplitude) {
  std::vector<float> samples(static_cast<size_t>(seconds * kRate));
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = amplitude * static_cast<float>(std::sin(0.2 * static_cast<double>(i)));
  }
  return samples;
}

void Append(std::vector<float>* to, const std::vector<float>& from) {
  to->insert(to->end(), from.begin(), from.end());
}

TEST(SpeechEndTest, IsWhereTheSoundStops) {
  std::vector<float> samples(kRate / 2);
  Append(&samples, Tone(1.0, 0.3f));
  Append(&samples, std::vector<float>(kRate));
  EXPECT_NEAR(static_cast<double>(FindSpeechEnd(samples, kRate)) / kRate, 1.5, 0.011);
}

TEST(SpeechEndTest, APauseIsNotTheEnd) {
  std::vector<float> samples = Tone(0.5, 0.3f);
  Append(&samples, std::vector<float>(kRate / 2));
  Append(&samples, Tone(0.5, 0.05f));  // 16 dB quieter
  Append(&samples, std::vector<float>(kRate / 2));
  EXPECT_NEAR(static_cast<double>(FindSpeechEnd(samples, kRate)) / kRate, 1.5, 0.011);
}

TEST(SpeechEndTest, NoiseIsNotSpeech) {
  std::mt19937 random(1);
  std::normal_distribution<float> noise(0, 0.01f);  // 27 dB below the tone
  std::vector<float> samples(kRate / 2);
  Append(&samples, Tone(1.0, 0.3f));
  Append(&samples, std::vector<float>(kRate));
  for (float& x : samples) x += noise(random);
  EXPECT_NEAR(static_cast<double>(FindSpeechEnd(samples, kRate)) / kRate, 1.5, 0.011);
}

TEST(SpeechEndTest, ARecordingWithoutPauseEndsWithItsLastSample) {
  const std::vector<float> samples = Tone(0.7, 0.1f);
  EXPECT_EQ(FindSpeechEnd(samples, kRate), samples.size());
}

TEST(SpeechEndTest, SilenceHasNoSpeech) {
  EXPECT_EQ(FindSpeechEnd({}, kRate), 0u);
  EXPECT_EQ(FindSpeechEnd(std::vector<float>(kRate), kRate), 0u);
  EXPECT_EQ(FindSpeechEnd(Tone(1.0, 0.0005f), kRate), 0u);  // -69 dBFS
}

class LoudspeakerTest : public ::testing::Test {
 protected:
  static constexpr TimePoint kStart{1000s};
  const std::vector<float> frame_ = std::vector<float>(kRate * 80 / 1000, 0.1f);
  Loudspeaker loudspeaker_{kRate};
};

TEST_F(LoudspeakerTest, PlaysOnWithoutGaps) {
  loudspeaker_.Receive(kStart, frame_);
  loudspeaker_.Receive(kStart + 30ms, frame_);   // 50 ms left
  loudspeaker_.Receive(kStart + 140ms, frame_);  // 20 ms left
  EXPECT_EQ(loudspeaker_.underruns(), 0);
  EXPECT_NEAR(loudspeaker_.least_margin_ms(), 20, 1e-6);
  EXPECT_EQ(loudspeaker_.end(), kStart + 240ms);
  EXPECT_EQ(loudspeaker_.PlayedSamples(kStart - 1ms), 0u);
  EXPECT_EQ(loudspeaker_.PlayedSamples(kStart + 100ms), 1600u);
  EXPECT_EQ(loudspeaker_.PlayedSamples(kStart + 10s), 3840u);
}

TEST_F(LoudspeakerTest, AGapMovesTheRest) {
  loudspeaker_.Receive(kStart, frame_);
  loudspeaker_.Receive(kStart + 100ms, frame_);  // 20 ms late
  loudspeaker_.Receive(kStart + 150ms, frame_);  // in time again
  EXPECT_EQ(loudspeaker_.underruns(), 1);
  EXPECT_EQ(loudspeaker_.least_margin_ms(), 0);
  EXPECT_EQ(loudspeaker_.end(), kStart + 260ms);
}

TEST_F(LoudspeakerTest, APauseIsNoGap) {
  loudspeaker_.Receive(kStart, frame_);
  loudspeaker_.Receive(kStart, frame_);
  loudspeaker_.Pause(kStart + 60ms);
  EXPECT_EQ(loudspeaker_.PlayedSamples(kStart + 2s), 960u);
  loudspeaker_.Receive(kStart + 1s, frame_);  // 100 ms were left
  loudspeaker_.Resume(kStart + 2060ms);
  EXPECT_EQ(loudspeaker_.PlayedSamples(kStart + 2060ms), 960u);
  EXPECT_EQ(loudspeaker_.PlayedSamples(kStart + 2100ms), 1600u);
  loudspeaker_.Receive(kStart + 2200ms, frame_);  // 40 ms left
  EXPECT_EQ(loudspeaker_.underruns(), 0);
  EXPECT_NEAR(loudspeaker_.least_margin_ms(), 40, 1e-6);
  EXPECT_EQ(loudspeaker_.end(), kStart + 2320ms);
  loudspeaker_.Resume(kStart + 3s);  // of no pause
  EXPECT_EQ(loudspeaker_.end(), kStart + 2320ms);
}

TEST_F(LoudspeakerTest, ADelayIsPlayedLaterAndIsMargin) {
  Loudspeaker late(kRate, 100ms);
  late.Receive(kStart, frame_);
  EXPECT_EQ(late.PlayedSamples(kStart + 90ms), 0u);
  EXPECT_EQ(late.PlayedSamples(kStart + 140ms), 640u);
  late.Receive(kStart + 150ms, frame_);  // 30 ms left
  EXPECT_EQ(late.underruns(), 0);
  EXPECT_NEAR(late.least_margin_ms(), 30, 1e-6);
  EXPECT_EQ(late.end(), kStart + 260ms);
  EXPECT_EQ(*late.first_audible_received(), kStart);
  EXPECT_EQ(*late.first_audible_played(), kStart + 100ms);
}

TEST_F(LoudspeakerTest, AnAnswerMayBeginInAPause) {
  loudspeaker_.Pause(kStart);
  loudspeaker_.Receive(kStart + 20ms, frame_);
  EXPECT_EQ(loudspeaker_.PlayedSamples(kStart + 1s), 0u);
  loudspeaker_.Resume(kStart + 1s);
  EXPECT_EQ(loudspeaker_.PlayedSamples(kStart + 1040ms), 640u);
}

TEST_F(LoudspeakerTest, FirstAudibleSampleIsReceivedBeforeItIsPlayed) {
  std::vector<float> quiet(frame_.size(), 0.003f);  // -50.5 dBFS
  loudspeaker_.Receive(kStart, quiet);
  EXPECT_FALSE(loudspeaker_.first_audible_received());
  quiet[160] = -0.0032f;  // -49.9 dBFS, 10 ms into the second packet
  loudspeaker_.Receive(kStart + 20ms, quiet);
  EXPECT_EQ(*loudspeaker_.first_packet(), kStart);
  EXPECT_EQ(*loudspeaker_.first_audible_received(), kStart + 20ms);
  EXPECT_EQ(*loudspeaker_.first_audible_played(), kStart + 90ms);
}

}  // namespace
}  // namespace antiphon::client
