// How the user's turn is found: the settings, and what they come down to for the model and for voice
// activity.
#pragma once

#include <chrono>

#include "media/voice_activity.h"

namespace antiphon {

enum class TurnDetectionMode {
  kNone,       // only a commit ends a turn
  kSemantic,   // the model judges
  kServerVad,  // silence ends it
};

// How soon the model takes its turn.
enum class Eagerness { kLow, kMedium, kHigh };

// Checked values; the wire contract says what each means. Those of another mode have no effect.
struct TurnDetection {
  TurnDetectionMode mode = TurnDetectionMode::kSemantic;
  float threshold = 0.0f;  // semantic; 0: as `eagerness` says
  int max_silence_ms = 1500;
  Eagerness eagerness = Eagerness::kMedium;  // semantic
  int silence_duration_ms = 500;             // server VAD
  int prefix_padding_ms = 300;               // every mode
  float vad_threshold = 0.5f;                // every mode
};

// What max_silence_ms is if it is not set.
int DefaultMaxSilenceMs(Eagerness eagerness);

// The probability of "turn over" from which the model takes its turn, whose own threshold is
// `model_threshold`, in (0, 1]. 0: its own.
float EndpointThreshold(const TurnDetection& detection, float model_threshold);

// Silence in the audio that ends a turn with words in it, wherever the model is; 0: none does.
std::chrono::milliseconds SilenceInAudio(const TurnDetection& detection);

// Silence that ends it even if it is not in the audio, because the client sends none; 0: none does.
std::chrono::milliseconds LongestSilence(const TurnDetection& detection);

// Silence in the audio after which a voice without words was noise. `otherwise`: in the modes whose turns do
// not wait for silence, and at most.
std::chrono::milliseconds NoiseTimeout(const TurnDetection& detection, std::chrono::milliseconds otherwise);

// What voice activity is to listen for.
VoiceActivityOptions ListeningFor(const TurnDetection& detection);

}  // namespace antiphon
