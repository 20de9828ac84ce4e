#include "conversation/turn_detection.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

using std::chrono::milliseconds;

TEST(TurnDetectionTest, EagernessScalesTheOddsOfTheModelsThreshold) {
  const auto threshold = [](Eagerness eagerness, float model) {
    return EndpointThreshold({.eagerness = eagerness}, model);
  };
  EXPECT_EQ(threshold(Eagerness::kMedium, 0.5f), 0.0f) << "the model's own";
  EXPECT_FLOAT_EQ(threshold(Eagerness::kLow, 0.5f), 0.8f);
  EXPECT_FLOAT_EQ(threshold(Eagerness::kHigh, 0.5f), 0.2f);
  EXPECT_FLOAT_EQ(threshold(Eagerness::kLow, 0.9f), 36.0f / 37.0f);
  EXPECT_FLOAT_EQ(threshold(Eagerness::kHigh, 0.9f), 2.25f / 3.25f);
  EXPECT_FLOAT_EQ(threshold(Eagerness::kHigh, 1.0f), 1.0f) << "a model that never ends a turn stays so";
}

TEST(TurnDetectionTest, AThresholdThatIsSetWinsOverEagerness) {
  for (const Eagerness eagerness : {Eagerness::kLow, Eagerness::kMedium, Eagerness::kHigh}) {
    EXPECT_EQ(EndpointThreshold({.threshold = 0.3f, .eagerness = eagerness}, 0.5f), 0.3f);
  }
}

TEST(TurnDetectionTest, EagernessSaysHowLongTheModelIsWaitedFor) {
  EXPECT_EQ(DefaultMaxSilenceMs(Eagerness::kLow), 3000);
  EXPECT_EQ(DefaultMaxSilenceMs(Eagerness::kMedium), 1500);
  EXPECT_EQ(DefaultMaxSilenceMs(Eagerness::kHigh), 750);
}

TEST(TurnDetectionTest, EachModeHasItsSilence) {
  TurnDetection detection{.max_silence_ms = 900, .silence_duration_ms = 400};
  EXPECT_EQ(SilenceInAudio(detection), milliseconds(0)) << "the model decides";
  EXPECT_EQ(LongestSilence(detection), milliseconds(900));
  detection.mode = TurnDetectionMode::kNone;
  EXPECT_EQ(SilenceInAudio(detection), milliseconds(0));
  EXPECT_EQ(LongestSilence(detection), milliseconds(0));
  detection.mode = TurnDetectionMode::kServerVad;
  EXPECT_EQ(SilenceInAudio(detection), milliseconds(400));
  EXPECT_EQ(LongestSilence(detection), milliseconds(900));
  detection.silence_duration_ms = 2000;
  EXPECT_EQ(LongestSilence(detection), milliseconds(2000)) << "never shorter than silence in the audio";
}

TEST(TurnDetectionTest, NoiseIsNotWaitedForLongerThanATurn) {
  const auto timeout = [](TurnDetectionMode mode, int duration) {
    return NoiseTimeout({.mode = mode, .silence_duration_ms = duration}, milliseconds(1500)).count();
  };
  EXPECT_EQ(timeout(TurnDetectionMode::kSemantic, 200), 1500);
  EXPECT_EQ(timeout(TurnDetectionMode::kNone, 200), 1500);
  EXPECT_EQ(timeout(TurnDetectionMode::kServerVad, 200), 500) << "the model needs some time for words";
  EXPECT_EQ(timeout(TurnDetectionMode::kServerVad, 800), 800);
  EXPECT_EQ(timeout(TurnDetectionMode::kServerVad, 5000), 1500);
}

TEST(TurnDetectionTest, TheVadThresholdIsOneOfFourSettings) {
  const struct {
    float from, to;  // both within the step
    VoiceActivityOptions options;
  } steps[] = {
      {0.0f, 0.24f, {.onset_ms = 30, .min_level_dbfs = -53, .likelihood = VoiceLikelihood::kHigh}},
      {0.25f, 0.49f, {.onset_ms = 40, .min_level_dbfs = -50, .likelihood = VoiceLikelihood::kModerate}},
      {0.5f, 0.74f, {.onset_ms = 50, .min_level_dbfs = -47, .likelihood = VoiceLikelihood::kLow}},
      {0.75f, 1.0f, {.onset_ms = 80, .min_level_dbfs = -41, .likelihood = VoiceLikelihood::kVeryLow}},
  };
  for (const auto& [from, to, expected] : steps) {
    for (const float threshold : {from, to}) {
      SCOPED_TRACE(threshold);
      const VoiceActivityOptions options = ListeningFor({.vad_threshold = threshold});
      EXPECT_EQ(options.onset_ms, expected.onset_ms);
      EXPECT_EQ(options.min_level_dbfs, expected.min_level_dbfs);
      EXPECT_EQ(options.likelihood, expected.likelihood);
      EXPECT_TRUE(VoiceActivityDetector::Create(options).ok());
    }
  }
}

TEST(TurnDetectionTest, AStopIsToldBeforeTheTurnThatItEnds) {
  const auto hangover = [](TurnDetectionMode mode, int duration) {
    return ListeningFor({.mode = mode, .silence_duration_ms = duration}).hangover_ms;
  };
  EXPECT_EQ(hangover(TurnDetectionMode::kServerVad, 200), 200);
  EXPECT_EQ(hangover(TurnDetectionMode::kServerVad, 299), 299);
  EXPECT_EQ(hangover(TurnDetectionMode::kServerVad, 5000), 300);
  EXPECT_EQ(hangover(TurnDetectionMode::kSemantic, 200), 300);
  EXPECT_EQ(hangover(TurnDetectionMode::kNone, 200), 300);
}

}  // namespace
}  // namespace antiphon
