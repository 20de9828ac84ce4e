#include "conversation/turn_detection.h"

#include <algorithm>

namespace antiphon {
namespace {

using std::chrono::milliseconds;

// Of "the turn is over", between one eagerness and the next. Odds rather than probabilities, so that a
// threshold near 1 stays below it.
constexpr float kOddsOfEagerness = 4.0f;
// The client may count on a voice's stop being told this soon.
constexpr int kLongestHangoverMs = 300;
// The model has written the first word of a voice by then, if there was any.
constexpr milliseconds kWordsWithin{500};

}  // namespace

int DefaultMaxSilenceMs(Eagerness eagerness) {
  switch (eagerness) {
    case Eagerness::kLow:
      return 3000;
    case Eagerness::kMedium:
      break;
    case Eagerness::kHigh:
      return 750;
  }
  return 1500;
}

float EndpointThreshold(const TurnDetection& detection, float model_threshold) {
  if (detection.threshold > 0.0f || detection.eagerness == Eagerness::kMedium) return detection.threshold;
  const float factor = detection.eagerness == Eagerness::kLow ? kOddsOfEagerness : 1.0f / kOddsOfEagerness;
  return factor * model_threshold / (factor * model_threshold + 1.0f - model_threshold);
}

milliseconds SilenceInAudio(const TurnDetection& detection) {
  const bool vad = detection.mode == TurnDetectionMode::kServerVad;
  return milliseconds(vad ? detection.silence_duration_ms : 0);
}

milliseconds LongestSilence(const TurnDetection& detection) {
  if (detection.mode == TurnDetectionMode::kNone) return milliseconds(0);
  return std::max(milliseconds(detection.max_silence_ms), SilenceInAudio(detection));
}

milliseconds NoiseTimeout(const TurnDetection& detection, milliseconds otherwise) {
  if (detection.mode != TurnDetectionMode::kServerVad) return otherwise;
  return std::min(otherwise, std::max(SilenceInAudio(detection), kWordsWithin));
}

VoiceActivityOptions ListeningFor(const TurnDetection& detection) {
  VoiceActivityOptions options;
  if (detection.vad_threshold < 0.25f) {
    options = {.onset_ms = 30, .min_level_dbfs = -53.0f, .likelihood = VoiceLikelihood::kHigh};
  } else if (detection.vad_threshold < 0.5f) {
    options = {.onset_ms = 40, .min_level_dbfs = -50.0f, .likelihood = VoiceLikelihood::kModerate};
  } else if (detection.vad_threshold < 0.75f) {
    options = {.onset_ms = 50, .min_level_dbfs = -47.0f, .likelihood = VoiceLikelihood::kLow};
  } else {
    options = {.onset_ms = 80, .min_level_dbfs = -41.0f, .likelihood = VoiceLikelihood::kVeryLow};
  }
  options.hangover_ms = kLongestHangoverMs;
  // The stop of a voice is told before the turn that it ends.
  if (const auto silence = SilenceInAudio(detection); silence.count() > 0) {
    options.hangover_ms = std::min(options.hangover_ms, static_cast<int>(silence.count()));
  }
  return options;
}

}  // namespace antiphon
