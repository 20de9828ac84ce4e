#include "media/voice_activity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "media/resampler.h"
#include "tests/media/signals.h"

namespace antiphon {
namespace {

constexpr int kRate = VoiceActivityDetector::kSampleRate;
constexpr int64_t kMs = kRate / 1000;  // samples

std::vector<float> Padded(const std::vector<float>& speech, float noise_dbfs) {
  const size_t before = kRate / 2;
  const size_t after = kRate;
  std::vector<float> samples = Noise(noise_dbfs, before + speech.size() + after, 11);
  for (size_t i = 0; i < speech.size(); ++i) samples[before + i] += speech[i];
  return samples;
}

std::vector<VoiceEvent> Detect(VoiceActivityDetector& detector, std::span<const float> samples, size_t step) {
  std::vector<VoiceEvent> events;
  for (size_t at = 0; at < samples.size(); at += step) {
    detector.Process(samples.subspan(at, std::min(step, samples.size() - at)), &events);
  }
  return events;
}

std::vector<VoiceEvent> Detect(std::span<const float> samples, const VoiceActivityOptions& options = {}) {
  VoiceActivityDetector detector = VoiceActivityDetector::Create(options).value();
  return Detect(detector, samples, 160);
}

struct Voice {
  const char* name;
  const char* command;
};

class SpeechTest : public testing::TestWithParam<Voice> {
 protected:
  void SetUp() override {
    const Audio audio = Synthesise(GetParam().command);
    speech_ = Resample(audio.samples, audio.sample_rate, kRate).value();
    const auto loud = [](float sample) { return std::abs(sample) >= 0.01f; };
    first_ = std::find_if(speech_.begin(), speech_.end(), loud) - speech_.begin();
    last_ = speech_.rend() - std::find_if(speech_.rbegin(), speech_.rend(), loud);
    ASSERT_GT(last_ - first_, kRate / 2);
  }

  std::vector<float> speech_;
  int64_t first_ = 0;  // audible sample
  int64_t last_ = 0;
};

TEST_P(SpeechTest, StartsAndStopsAreFoundAndToldInTime) {
  const int64_t begin = first_ + kRate / 2;  // after the padding
  const int64_t end = last_ + kRate / 2;
  // In a noisy room an opening hiss (the s of "spell") is found by its vowel only.
  const struct {
    float noise_dbfs;
    int64_t onset_ms;
    int64_t told_ms;
  } cases[] = {{-90.0f, 50, 100}, {-55.0f, 170, 220}};
  for (const auto& [noise_dbfs, onset_ms, told_ms] : cases) {
    VoiceActivityDetector detector = VoiceActivityDetector::Create({}).value();
    const std::vector<float> samples = Padded(speech_, noise_dbfs);
    std::vector<VoiceEvent> events;
    int64_t told = 0;
    for (size_t at = 0; at + 160 <= samples.size(); at += 160) {
      detector.Process(std::span(samples).subspan(at, 160), &events);
      if (events.size() == 1 && told == 0) told = static_cast<int64_t>(at) + 160;
    }
    ASSERT_EQ(events.size(), 2u) << noise_dbfs;
    EXPECT_EQ(events[0].kind, VoiceEvent::Kind::kStarted);
    EXPECT_EQ(events[1].kind, VoiceEvent::Kind::kStopped);
    EXPECT_NEAR(static_cast<double>(events[0].offset), static_cast<double>(begin),
                static_cast<double>(onset_ms * kMs));
    EXPECT_LE(told - begin, told_ms * kMs);
    EXPECT_NEAR(static_cast<double>(events[1].offset), static_cast<double>(end), 100.0 * kMs);
    EXPECT_FALSE(detector.speaking());
    EXPECT_EQ(detector.last_voice_end(), events[1].offset);
  }
}

TEST_P(SpeechTest, ThePiecesDoNotMatterAndResetStartsAgain) {
  const std::vector<float> samples = Padded(speech_, -60.0f);
  const std::vector<VoiceEvent> expected = Detect(samples);
  VoiceActivityDetector detector = VoiceActivityDetector::Create({}).value();
  for (const size_t step : {size_t{1}, size_t{37}, size_t{160}, size_t{320}, samples.size()}) {
    EXPECT_EQ(Detect(detector, samples, step), expected) << step;
    detector.Reset();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Voices, SpeechTest,
    testing::Values(Voice{"espeak", "espeak-ng -w {} 'what is seven plus five'"},
                    Voice{"espeak_woman", "espeak-ng -v en+f3 -w {} 'say hello to my friend'"},
                    Voice{"espeak_scotland", "espeak-ng -v en-gb-scotland -w {} 'four times three'"},
                    Voice{"flite_rms", "flite -voice rms -t 'what is the capital of france' -o {}"},
                    Voice{"flite_slt", "flite -voice slt -t 'spell the word house' -o {}"}),
    [](const auto& voice) { return std::string(voice.param.name); });

TEST(VoiceActivityTest, SilenceAndQuietNoiseAreNotSpeech) {
  EXPECT_TRUE(Detect(std::vector<float>(kRate * 5, 0.0f)).empty());
  for (const uint32_t seed : {1u, 2u, 3u})
    EXPECT_TRUE(Detect(Noise(-50.0f, kRate * 10, seed)).empty()) << seed;
}

TEST(VoiceActivityTest, ASteadyNoiseIsSoonTakenForTheRoom) {
  for (const float level : {-30.0f, -20.0f}) {
    const std::vector<VoiceEvent> events = Detect(Noise(level, kRate * 20, 4));
    for (const VoiceEvent& event : events) EXPECT_LE(event.offset, 2500 * kMs) << level;
    if (!events.empty()) {
      EXPECT_EQ(events.back().kind, VoiceEvent::Kind::kStopped) << level;
    }
  }
}

TEST(VoiceActivityTest, AClickIsNotSpeech) {
  std::vector<float> samples(kRate * 2, 0.0f);
  for (size_t i = 0; i < 20 * kMs; ++i) samples[kRate + i] = (i % 16 < 8) ? 0.5f : -0.5f;
  EXPECT_TRUE(Detect(samples).empty());
}

TEST(VoiceActivityTest, HangoverDecidesWhichPauseEndsSpeech) {
  const Audio audio = Synthesise("espeak-ng -w {} 'seven'");
  const std::vector<float> word = Resample(audio.samples, audio.sample_rate, kRate).value();
  std::vector<float> samples(kRate / 2, 0.0f);
  for (int i = 0; i < 2; ++i) {
    samples.insert(samples.end(), word.begin(), word.end());
    samples.resize(samples.size() + 400 * kMs, 0.0f);
  }
  samples.resize(samples.size() + kRate * 2, 0.0f);
  EXPECT_EQ(Detect(samples, {.hangover_ms = 200}).size(), 4u);
  EXPECT_EQ(Detect(samples, {.hangover_ms = 1000}).size(), 2u);
}

TEST(VoiceActivityTest, NonsenseSamplesDoNotHarm) {
  std::vector<float> samples(kRate, std::nanf(""));
  samples[5] = INFINITY;
  samples[6] = 1e30f;
  EXPECT_TRUE(Detect(samples).empty());
}

TEST(VoiceActivityTest, OptionsOutOfRangeAreRefused) {
  const VoiceActivityOptions cases[] = {
      {.onset_ms = 0},          {.onset_ms = 101},          {.hangover_ms = 19},    {.hangover_ms = 5001},
      {.min_level_dbfs = 1.0f}, {.min_level_dbfs = -91.0f}, {.min_level_dbfs = NAN}};
  for (const VoiceActivityOptions& options : cases) {
    EXPECT_EQ(VoiceActivityDetector::Create(options).status().code(), StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace antiphon
