// The settings of a session, and the one place that says which are allowed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon {

// A client's mistake: what is wrong, and the field at fault as a path of the wire contract
// ("session_update.config.sampling.top_p"); empty when no field is.
struct Refusal {
  Status status;
  std::string field;
};

enum class AudioEncoding { kPcm16, kOpus, kG711Ulaw, kG711Alaw };

struct AudioFormat {
  AudioEncoding encoding = AudioEncoding::kPcm16;
  int sample_rate = 24000;        // Hz
  int expected_loss_percent = 0;  // of Opus output
  friend bool operator==(const AudioFormat&, const AudioFormat&) = default;
};

enum class TurnDetectionMode { kNone, kSemantic };

struct TurnDetection {
  TurnDetectionMode mode = TurnDetectionMode::kSemantic;
  float threshold = 0.0f;     // 0: the model's own default
  int max_silence_ms = 1500;  // used in semantic mode
};

// Every setting of a session, checked.
struct SessionConfig {
  bool speak = true;  // false: no speech
  bool draw = false;  // false: no pictures
  SpeechManner manner;
  AudioFormat input;
  AudioFormat output;
  TurnDetection turn_detection;
  SamplingOptions sampling;
  int max_response_seconds = 30;
  int max_video_frames = 2;  // that stay in the model's context
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
};

struct SamplingUpdate {
  float temperature = 0.0f;
  uint32_t top_k = 0;
  float top_p = 0.0f;
  float repetition_penalty = 0.0f;
  uint64_t seed = 0;
};

// What is absent (or empty, or 0 for max_response_seconds, max_video_frames and speed) stays as it is; a
// message that is there replaces the whole of its setting.
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
};

// What a model can do, as far as settings depend on it.
struct ModelAbilities {
  bool draws = false;
  bool manners = false;  // speaks in every SpeechManner
};

// What a voice is called on the wire.
const char* NameOf(SpeechVoice voice);

// `current` with `update` applied, or the first mistake; nothing is applied in part.
std::variant<SessionConfig, Refusal> ApplyUpdate(const SessionConfig& current, const ConfigUpdate& update,
                                                 const ModelAbilities& model);

}  // namespace antiphon
