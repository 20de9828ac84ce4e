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

TEST(VoiceActivityTest, ConfigureHoldsFromThenOnAndForgetsNothing) {
  const Audio audio = Synthesise("espeak-ng -w {} 'seven'");
  const std::vector<float> word = Resample(audio.samples, audio.sample_rate, kRate).value();
  std::vector<float> samples(kRate / 2, 0.0f);
  for (int i = 0; i < 2; ++i) {
    samples.insert(samples.end(), word.begin(), word.end());
    samples.resize(samples.size() + 400 * kMs, 0.0f);
  }
  const std::vector<VoiceEvent> expected = Detect(samples, {.hangover_ms = 200});
  ASSERT_EQ(expected.size(), 4u);
  // In the middle of the first word.
  VoiceActivityDetector detector = VoiceActivityDetector::Create({.hangover_ms = 1000}).value();
  const size_t middle = kRate / 2 + word.size() / 2;
  std::vector<VoiceEvent> events;
  detector.Process(std::span(samples).first(middle), &events);
  ASSERT_TRUE(detector.speaking());
  ASSERT_TRUE(detector.Configure({.hangover_ms = 200}).ok());
  detector.Process(std::span(samples).subspan(middle), &events);
  EXPECT_EQ(events, expected);
  // What is refused changes nothing, and Reset keeps what was set last.
  EXPECT_EQ(detector.Configure({.hangover_ms = 5001}).code(), StatusCode::kInvalidArgument);
  detector.Reset();
  EXPECT_EQ(Detect(detector, samples, 160), expected);
}

TEST(VoiceActivityTest, AStopIsKnownAfterItsHangoverWhereverItIs) {
  const Audio audio = Synthesise("espeak-ng -w {} 'seven'");
  const std::vector<float> word = Resample(audio.samples, audio.sample_rate, kRate).value();
  std::vector<float> samples = word;
  samples.resize(samples.size() + kRate, 0.0f);
  int64_t offset = 0;
  for (const int hangover : {200, 250, 300, 800}) {
    VoiceActivityDetector detector = VoiceActivityDetector::Create({.hangover_ms = hangover}).value();
    std::vector<VoiceEvent> events;
    for (size_t at = 0; at + 160 <= samples.size() && events.size() < 2; at += 160) {
      detector.Process(std::span(samples).subspan(at, 160), &events);
    }
    ASSERT_EQ(events.size(), 2u) << hangover;
    EXPECT_EQ(detector.judged() - events[1].offset, hangover * kMs);
    if (offset != 0) {
      EXPECT_EQ(events[1].offset, offset) << hangover;
    }
    offset = events[1].offset;
  }
}

// 30 ms of a vowel, half a second after the word: too short to be speech.
TEST(VoiceActivityTest, WhatIsTooShortForAVoiceDoesNotProlongTheOneBefore) {
  const Audio audio = Synthesise("espeak-ng -w {} 'seven'");
  const std::vector<float> word = Resample(audio.samples, audio.sample_rate, kRate).value();
  const auto loudest = std::max_element(word.begin(), word.end()) - word.begin();
  std::vector<float> samples = word;
  samples.resize(samples.size() + 500 * kMs, 0.0f);
  samples.insert(samples.end(), word.begin() + loudest - 15 * kMs, word.begin() + loudest + 15 * kMs);
  samples.resize(samples.size() + kRate, 0.0f);
  VoiceActivityDetector detector = VoiceActivityDetector::Create({}).value();
  std::vector<VoiceEvent> events;
  bool undecided = false;
  for (size_t at = 0; at + 160 <= samples.size(); at += 160) {
    detector.Process(std::span(samples).subspan(at, 160), &events);
    undecided |= events.size() == 2 && detector.undecided();
  }
  EXPECT_TRUE(undecided) << "it sounded like a voice";
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(detector.last_voice_end(), events[1].offset);
  EXPECT_FALSE(detector.undecided());
}

TEST(VoiceActivityTest, ALikelihoodIsTheSameFromTheStartAndSetLater) {
  const Audio audio = Synthesise("flite -voice slt -t 'spell the word house' -o {}");
  const std::vector<float> samples =
      Padded(Resample(audio.samples, audio.sample_rate, kRate).value(), -45.0f);
  for (const VoiceLikelihood likelihood : {VoiceLikelihood::kVeryLow, VoiceLikelihood::kLow,
                                           VoiceLikelihood::kModerate, VoiceLikelihood::kHigh}) {
    const VoiceActivityOptions options{.likelihood = likelihood};
    const std::vector<VoiceEvent> expected = Detect(samples, options);
    VoiceActivityDetector detector = VoiceActivityDetector::Create({}).value();
    ASSERT_TRUE(detector.Configure(options).ok());
    EXPECT_EQ(Detect(detector, samples, 160), expected);
    // There and back within the stream: what was learnt of the noise is kept.
    detector.Reset();
    std::vector<VoiceEvent> events;
    for (size_t at = 0; at + 160 <= samples.size(); at += 160) {
      detector.Process(std::span(samples).subspan(at, 160), &events);
      ASSERT_TRUE(detector.Configure({.likelihood = VoiceLikelihood::kHigh}).ok());
      ASSERT_TRUE(detector.Configure(options).ok());
    }
    EXPECT_EQ(events, expected);
  }
}

// How much of `samples` is voice, in ms.
int64_t VoiceMs(std::span<const float> samples, VoiceLikelihood likelihood) {
  int64_t voice = 0;
  int64_t started = 0;
  for (const VoiceEvent& event : Detect(samples, {.likelihood = likelihood})) {
    if (event.kind == VoiceEvent::Kind::kStarted) started = event.offset;
    if (event.kind == VoiceEvent::Kind::kStopped) voice += event.offset - started;
  }
  return voice / kMs;
}

TEST(VoiceActivityTest, AHigherLikelihoodTakesMoreForVoice) {
  const Audio audio = Synthesise("flite -voice slt -t 'spell the word house' -o {}");
  const std::vector<float> samples =
      Padded(Resample(audio.samples, audio.sample_rate, kRate).value(), -45.0f);
  int64_t before = 0;
  for (const VoiceLikelihood likelihood : {VoiceLikelihood::kVeryLow, VoiceLikelihood::kLow,
                                           VoiceLikelihood::kModerate, VoiceLikelihood::kHigh}) {
    const int64_t voice = VoiceMs(samples, likelihood);
    EXPECT_GE(voice, before);
    before = voice;
  }
  EXPECT_GT(before, VoiceMs(samples, VoiceLikelihood::kVeryLow));
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
