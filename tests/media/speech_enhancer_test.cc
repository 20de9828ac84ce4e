#include "media/speech_enhancer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "media/resampler.h"
#include "tests/media/signals.h"

namespace antiphon {
namespace {

constexpr int kRate = SpeechEnhancer::kSampleRate;
constexpr size_t kBlock = SpeechEnhancer::kBlockSamples;

std::vector<float> Speech(const std::string& text) {
  const Audio audio = Synthesise("espeak-ng -w {} '" + text + "'");
  std::vector<float> speech = Resample(audio.samples, audio.sample_rate, kRate).value();
  speech.resize((speech.size() + kBlock - 1) / kBlock * kBlock);
  return speech;
}

double LevelDb(std::span<const float> samples) {
  const double power = std::inner_product(samples.begin(), samples.end(), samples.begin(), 0.0);
  return 10.0 * std::log10(power / static_cast<double>(samples.size()) + 1e-12);
}

// `loudspeaker` is silence where it is shorter.
std::vector<float> Enhance(const SpeechEnhancement& wanted, std::vector<float> microphone,
                           std::vector<float> loudspeaker = {}) {
  SpeechEnhancer enhancer(wanted);
  loudspeaker.resize(microphone.size());
  for (size_t begin = 0; begin + kBlock <= microphone.size(); begin += kBlock) {
    enhancer.Process(std::span(loudspeaker).subspan(begin, kBlock),
                     std::span(microphone).subspan(begin, kBlock));
  }
  return microphone;
}

// What a microphone in a small room picks up of a loudspeaker: half as loud, `delay_ms` later, and echoes of
// that.
std::vector<float> EchoOf(const std::vector<float>& played, int delay_ms) {
  std::vector<float> echo(played.size());
  const std::pair<int, float> paths[] = {{0, 0.5f}, {3, 0.2f}, {7, -0.15f}, {13, 0.1f}, {24, 0.05f}};
  for (const auto& [ms, gain] : paths) {
    const auto delay = static_cast<size_t>((delay_ms + ms) * kRate / 1000);
    for (size_t i = delay; i < echo.size(); ++i) echo[i] += gain * played[i - delay];
  }
  return echo;
}

std::vector<float> Sum(std::vector<float> a, const std::vector<float>& b, size_t at = 0) {
  for (size_t i = 0; i < b.size() && at + i < a.size(); ++i) a[at + i] += b[i];
  return a;
}

TEST(SpeechEnhancerTest, TheEchoGoesFromTheFirstWordOn) {
  const std::vector<float> played = Speech("the capital of france is paris, and that of spain is madrid");
  for (const int delay_ms : {10, 40, 80, 120}) {
    const std::vector<float> echo = EchoOf(played, delay_ms);
    const std::vector<float> left = Enhance({.echo_cancellation = true}, echo, played);
    EXPECT_LT(LevelDb(left), LevelDb(echo) - 18.0) << delay_ms << " ms";
    const size_t second = kRate;
    EXPECT_LT(LevelDb(std::span(left).subspan(second)), LevelDb(std::span(echo).subspan(second)) - 24.0)
        << delay_ms << " ms";
  }
}

TEST(SpeechEnhancerTest, AVoiceBesideTheEchoStays) {
  std::vector<float> played = Speech("one two three four five six seven eight nine ten");
  const std::vector<float> voice = Speech("what is the time");
  played.resize(std::max(played.size(), kRate + voice.size()));
  const std::vector<float> mixed = Sum(EchoOf(played, 40), voice, kRate);
  const std::vector<float> left = Enhance({.echo_cancellation = true}, mixed, played);
  const auto spoken = std::span(left).subspan(kRate, voice.size());
  EXPECT_GT(LevelDb(spoken), LevelDb(voice) - 12.0);
  EXPECT_GT(LevelDb(spoken), LevelDb(std::span(left).first(kRate)) + 15.0);
}

TEST(SpeechEnhancerTest, WithoutCancellationTheEchoStays) {
  const std::vector<float> played = Speech("the capital of france is paris");
  const std::vector<float> echo = EchoOf(played, 40);
  const std::vector<float> left = Enhance({.noise_suppression = NoiseSuppression::kLow}, echo, played);
  EXPECT_GT(LevelDb(left), LevelDb(echo) - 6.0);
}

TEST(SpeechEnhancerTest, NoiseBecomesQuieterThanTheVoice) {
  const std::vector<float> voice = Speech("what is the capital of france");
  const size_t before = 2 * kRate;
  const std::vector<float> noisy = Sum(Noise(-40.0f, before + voice.size(), 7), voice, before);
  double quieter_before = 0.0;
  for (const auto suppression :
       {NoiseSuppression::kLow, NoiseSuppression::kModerate, NoiseSuppression::kHigh}) {
    const std::vector<float> left = Enhance({.noise_suppression = suppression}, noisy);
    const double noise = LevelDb(std::span(left).subspan(kRate, kRate)) + 40.0;
    const double speech = LevelDb(std::span(left).subspan(before)) - LevelDb(voice);
    EXPECT_LT(noise, quieter_before - 4.0);
    EXPECT_GT(speech, -4.0);
    quieter_before = noise;
  }
}

TEST(SpeechEnhancerTest, WhatGoesInComesOutAsMuchLaterAsItSays) {
  std::vector<float> voice = Speech("what is the capital of france");
  for (const NoiseSuppression suppression : {NoiseSuppression::kOff, NoiseSuppression::kModerate}) {
    for (const bool echo : {false, true}) {
      const SpeechEnhancement wanted{suppression, echo};
      const std::vector<float> out = Enhance(wanted, voice);
      double best = 0.0;
      size_t delay = 0;
      for (size_t lag = 0; lag < 2 * kBlock; ++lag) {
        const double match =
            std::inner_product(out.begin() + static_cast<std::ptrdiff_t>(lag), out.end(), voice.begin(), 0.0);
        if (match > best) {
          best = match;
          delay = lag;
        }
      }
      EXPECT_NEAR(static_cast<double>(delay), SpeechEnhancer(wanted).delay_samples(), 3.0)
          << "suppression " << static_cast<int>(suppression) << ", echo " << echo;
    }
  }
}

TEST(SpeechEnhancerTest, SettingsMayChangeWithinTheStream) {
  SpeechEnhancer enhancer({.noise_suppression = NoiseSuppression::kHigh});
  const std::array<float, kBlock> silence{};
  std::vector<float> noise = Noise(-40.0f, 4 * kRate, 3);
  for (size_t begin = 0; begin + kBlock <= noise.size(); begin += kBlock) {
    if (begin == 2 * kRate) enhancer.Configure({});
    enhancer.Process(silence, std::span(noise).subspan(begin, kBlock));
  }
  EXPECT_LT(LevelDb(std::span(noise).subspan(kRate, kRate)), -50.0);
  EXPECT_GT(LevelDb(std::span(noise).subspan(3 * kRate)), -42.0);
}

TEST(SpeechEnhancerTest, SamplesThatAreNoneAreSilence) {
  SpeechEnhancer enhancer({NoiseSuppression::kLow, true});
  std::array<float, kBlock> block, played;
  for (int i = 0; i < 20; ++i) {
    block.fill(i % 2 == 0 ? std::numeric_limits<float>::quiet_NaN() : 1e30f);
    played.fill(i % 3 == 0 ? std::numeric_limits<float>::infinity() : -1e30f);
    enhancer.Process(played, block);
    for (const float sample : block) ASSERT_TRUE(std::abs(sample) <= 1.5f) << sample;
  }
}

}  // namespace
}  // namespace antiphon
