// The settings of a session, and the one place that says which are allowed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "antiphon/types.h"
#include "conversation/functions.h"
#include "conversation/refusal.h"
#include "conversation/turn_detection.h"
#include "media/speech_enhancer.h"

namespace antiphon {

enum class AudioEncoding { kPcm16, kOpus, kG711Ulaw, kG711Alaw };

struct AudioFormat {
  AudioEncoding encoding = AudioEncoding::kPcm16;
  int sample_rate = 24000;        // Hz
  int expected_loss_percent = 0;  // of Opus output
  friend bool operator==(const AudioFormat&, const AudioFormat&) = default;
};

// What a voice of the user's does to an answer that is being played.
enum class InterruptionPolicy {
  kOff,       // nothing
  kCautious,  // pauses it; what is said decides (interruption_judge.h) whether it is cut or goes on
  kEager,     // cuts it at once
};

struct Interruption {
  InterruptionPolicy policy = InterruptionPolicy::kCautious;
  int min_voice_ms = 500;
};

// A lead of the length of the longest response: all of it at once.
constexpr int kMaxLeadMs = 60'000;

// Every setting of a session, checked.
struct SessionConfig {
  bool speak = true;  // false: no speech
  bool draw = false;  // false: no pictures
  SpeechManner manner;
  AudioFormat input;
  AudioFormat output;
  SpeechEnhancement enhancement;  // of what the user's microphone picks up
  TurnDetection turn_detection;
  SamplingOptions sampling;
  int max_response_seconds = 30;
  int max_video_frames = 2;  // that stay in the model's context
  Interruption interruption;
  int playback_delay_ms = 0;        // from the arrival of the first audio at the client to its being played
  int max_lead_ms = 5'000;          // how far ahead of its playback speech is sent
  std::vector<Function> functions;  // that the model may call
  std::string instructions;         // what the model reads before the first turn
};

// ---- A client's wishes as they arrived: enumerators and numbers of the wire contract, unchecked.

struct AudioFormatUpdate {
  int encoding = 0;
  uint32_t sample_rate = 0;
  uint32_t expected_loss_percent = 0;
};

struct TurnDetectionUpdate {
  int mode = 0;
  float threshold = 0.0f;
  uint32_t max_silence_ms = 0;
  int eagerness = 0;
  uint32_t silence_duration_ms = 0;
  std::optional<uint32_t> prefix_padding_ms = std::nullopt;
  std::optional<float> vad_threshold = std::nullopt;
};

struct SamplingUpdate {
  float temperature = 0.0f;
  uint32_t top_k = 0;
  float top_p = 0.0f;
  float repetition_penalty = 0.0f;
  uint64_t seed = 0;
};

struct InterruptionUpdate {
  int policy = 0;
  uint32_t min_voice_ms = 0;
};

struct SpeechEnhancementUpdate {
  int noise_suppression = 0;
  bool echo_cancellation = false;
};

// What is absent (or empty, or 0 for max_response_seconds, max_video_frames, speed and max_lead_ms) stays as
// it is; a message that is there replaces the whole of its setting.
struct ConfigUpdate {
  std::vector<int> output_modalities = {};
  std::optional<AudioFormatUpdate> input_audio = std::nullopt;
  std::optional<AudioFormatUpdate> output_audio = std::nullopt;
  std::optional<TurnDetectionUpdate> turn_detection = std::nullopt;
  std::optional<SamplingUpdate> sampling = std::nullopt;
  uint32_t max_response_seconds = 0;
  uint32_t max_video_frames = 0;
  std::string voice = {};
  int speed = 0;
  std::optional<InterruptionUpdate> interruption = std::nullopt;
  std::optional<uint32_t> playback_delay_ms = std::nullopt;
  uint32_t max_lead_ms = 0;
  std::optional<SpeechEnhancementUpdate> speech_enhancement = std::nullopt;
  std::optional<std::vector<Function>> functions = std::nullopt;
  std::optional<std::string> instructions = std::nullopt;
};

// What a model can do, as far as settings depend on it.
struct ModelAbilities {
  bool draws = false;
  bool manners = false;  // speaks in every SpeechManner
  bool calls_functions = false;
  bool instructions = false;  // may have some
};

ModelAbilities AbilitiesOf(const ModelDescription& model);

// What a voice is called on the wire.
const char* NameOf(SpeechVoice voice);

// The update that makes any settings these.
ConfigUpdate UpdateTo(const SessionConfig& config);

// `current` with `update` applied, or the first mistake; nothing is applied in part.
std::variant<SessionConfig, Refusal> ApplyUpdate(const SessionConfig& current, const ConfigUpdate& update,
                                                 const ModelAbilities& model);

}  // namespace antiphon
