#include "conversation/session_config.h"

#include <cmath>
#include <sstream>

namespace antiphon {
namespace {

constexpr char kPath[] = "session_update.config.";

// Enumerators of proto/antiphon/v1/conversation.proto. tests/server holds the two together.
constexpr int kUnspecified = 0;
constexpr int kModalityText = 1;
constexpr int kModalityAudio = 2;
constexpr int kModalityImage = 3;
constexpr int kEncodingPcm16 = 1;
constexpr int kEncodingOpus = 2;
constexpr int kEncodingG711Ulaw = 3;
constexpr int kEncodingG711Alaw = 4;
constexpr int kModeNone = 1;
constexpr int kModeSemantic = 2;
constexpr int kModeServerVad = 3;
constexpr int kEagernessLow = 1;
constexpr int kEagernessMedium = 2;
constexpr int kEagernessHigh = 3;
constexpr int kSpeedSlow = 1;
constexpr int kSpeedNormal = 2;
constexpr int kSpeedFast = 3;
constexpr int kPolicyOff = 1;
constexpr int kPolicyEager = 3;
constexpr int kNoiseSuppressionHigh = 4;

constexpr size_t kMaxModalities = 3;
constexpr uint32_t kDefaultRate = 24000;
constexpr uint32_t kTelephoneRate = 8000;
constexpr uint32_t kMaxExpectedLoss = 30;
constexpr uint32_t kMinSilenceMs = 200;
constexpr uint32_t kMaxSilenceMs = 10000;
constexpr uint32_t kMaxSilenceDurationMs = 5000;
constexpr uint32_t kMaxPrefixPaddingMs = 1000;
constexpr uint32_t kMaxTopK = 10000;
constexpr uint32_t kMaxResponseSeconds = 60;
constexpr uint32_t kMaxVideoFrames = 8;
constexpr uint32_t kMinVoiceMs = 100;
constexpr uint32_t kMaxVoiceMs = 3000;
constexpr uint32_t kMaxPlaybackDelayMs = 2000;
constexpr uint32_t kMinLeadMs = 200;  // some frames, so that the next is there before the last was played
constexpr size_t kMaxInstructionBytes = 16384;
constexpr size_t kMaxVoiceBytes = 64;

template <typename T>
Refusal Bad(const std::string& field, const T& value, const std::string& limit) {
  std::ostringstream message;
  message << field << " is " << value << ", must be " << limit;
  return {InvalidArgument(message.str()), kPath + field};
}

// Each returns the mistake, if any, and otherwise writes what it checked. Comparisons are written so that a
// NaN fails them.

std::optional<Refusal> Apply(const std::vector<int>& modalities, bool model_draws, SessionConfig* config) {
  const std::string field = "output_modalities";
  if (modalities.empty()) return std::nullopt;
  if (modalities.size() > kMaxModalities) {
    return Bad(field, std::to_string(modalities.size()) + " entries", "at most 3 entries");
  }
  bool audio = false;
  bool image = false;
  for (const int modality : modalities) {
    if (modality != kModalityText && modality != kModalityAudio && modality != kModalityImage) {
      return Bad(field, modality, "MODALITY_TEXT (1), MODALITY_AUDIO (2) or MODALITY_IMAGE (3)");
    }
    audio |= modality == kModalityAudio;
    image |= modality == kModalityImage;
  }
  if (image && !model_draws) {
    return Refusal{
        Status(StatusCode::kUnimplemented, field + " has MODALITY_IMAGE: this model draws no pictures"),
        kPath + field};
  }
  config->speak = audio;
  config->draw = image;
  return std::nullopt;
}

std::optional<AudioEncoding> EncodingOf(int number) {
  switch (number) {
    case kUnspecified:
    case kEncodingPcm16:
      return AudioEncoding::kPcm16;
    case kEncodingOpus:
      return AudioEncoding::kOpus;
    case kEncodingG711Ulaw:
      return AudioEncoding::kG711Ulaw;
    case kEncodingG711Alaw:
      return AudioEncoding::kG711Alaw;
    default:
      return std::nullopt;
  }
}

// The mistake in the rate of an encoding.
std::optional<Refusal> CheckRate(AudioEncoding encoding, uint32_t rate, const std::string& field) {
  const bool wide = rate == 24000 || rate == 48000;
  switch (encoding) {
    case AudioEncoding::kPcm16:
      if (wide || rate == kTelephoneRate || rate == 16000) return std::nullopt;
      return Bad(field, rate, "8000, 16000, 24000 or 48000");
    case AudioEncoding::kOpus:
      if (wide) return std::nullopt;
      return Bad(field, rate, "24000 or 48000 for Opus");
    case AudioEncoding::kG711Ulaw:
    case AudioEncoding::kG711Alaw:
      if (rate == kTelephoneRate) return std::nullopt;
      return Bad(field, rate, "8000 for G.711");
  }
  return std::nullopt;
}

// `sends`: it is the server that encodes.
std::optional<Refusal> Apply(const AudioFormatUpdate& update, const std::string& field, bool sends,
                             AudioFormat* format) {
  const std::optional<AudioEncoding> encoding = EncodingOf(update.encoding);
  if (!encoding) {
    return Bad(field + ".encoding", update.encoding,
               "AUDIO_ENCODING_PCM16 (1), OPUS (2), G711_ULAW (3) or G711_ALAW (4)");
  }
  const bool g711 = *encoding == AudioEncoding::kG711Ulaw || *encoding == AudioEncoding::kG711Alaw;
  const uint32_t rate = update.sample_rate != 0 ? update.sample_rate : g711 ? kTelephoneRate : kDefaultRate;
  if (auto bad = CheckRate(*encoding, rate, field + ".sample_rate")) return bad;
  const std::string loss = field + ".expected_loss_percent";
  if (update.expected_loss_percent != 0 && !(sends && *encoding == AudioEncoding::kOpus)) {
    return Bad(loss, update.expected_loss_percent, "0: it is a setting of Opus output");
  }
  if (update.expected_loss_percent > kMaxExpectedLoss) {
    return Bad(loss, update.expected_loss_percent, "0 to 30");
  }
  *format = {*encoding, static_cast<int>(rate), static_cast<int>(update.expected_loss_percent)};
  return std::nullopt;
}

TurnDetectionMode ModeOf(int mode) {
  if (mode == kModeNone) return TurnDetectionMode::kNone;
  return mode == kModeServerVad ? TurnDetectionMode::kServerVad : TurnDetectionMode::kSemantic;
}

Eagerness EagernessOf(int eagerness) {
  if (eagerness == kEagernessLow) return Eagerness::kLow;
  return eagerness == kEagernessHigh ? Eagerness::kHigh : Eagerness::kMedium;
}

std::optional<Refusal> CheckSilences(const TurnDetectionUpdate& update) {
  const std::string field = "turn_detection.";
  const uint32_t most = update.max_silence_ms;
  if (most != 0 && (most < kMinSilenceMs || most > kMaxSilenceMs)) {
    return Bad(field + "max_silence_ms", most, "200 to 10000, or 0 for the default");
  }
  const uint32_t duration = update.silence_duration_ms;
  if (duration != 0 && (duration < kMinSilenceMs || duration > kMaxSilenceDurationMs)) {
    return Bad(field + "silence_duration_ms", duration, "200 to 5000, or 0 for the default");
  }
  return std::nullopt;
}

std::optional<Refusal> Apply(const TurnDetectionUpdate& update, TurnDetection* detection) {
  const std::string field = "turn_detection.";
  if (update.mode < kUnspecified || update.mode > kModeServerVad) {
    return Bad(field + "mode", update.mode, "MODE_NONE (1), MODE_SEMANTIC (2) or MODE_SERVER_VAD (3)");
  }
  if (!(update.threshold >= 0.0f && update.threshold < 1.0f)) {
    return Bad(field + "threshold", update.threshold, "above 0 and below 1, or 0 for the model's default");
  }
  if (update.eagerness < kUnspecified || update.eagerness > kEagernessHigh) {
    return Bad(field + "eagerness", update.eagerness,
               "EAGERNESS_LOW (1), EAGERNESS_MEDIUM (2) or EAGERNESS_HIGH (3)");
  }
  if (auto bad = CheckSilences(update)) return bad;
  TurnDetection wanted{ModeOf(update.mode), update.threshold};
  if (update.prefix_padding_ms) {
    if (*update.prefix_padding_ms > kMaxPrefixPaddingMs) {
      return Bad(field + "prefix_padding_ms", *update.prefix_padding_ms, "0 to 1000");
    }
    wanted.prefix_padding_ms = static_cast<int>(*update.prefix_padding_ms);
  }
  if (update.vad_threshold) {
    if (!(*update.vad_threshold >= 0.0f && *update.vad_threshold <= 1.0f)) {
      return Bad(field + "vad_threshold", *update.vad_threshold, "0 to 1");
    }
    wanted.vad_threshold = *update.vad_threshold;
  }
  static_assert(kEagernessMedium == 2 && kModeSemantic == 2);  // what is left of each
  wanted.eagerness = EagernessOf(update.eagerness);
  const auto most = static_cast<int>(update.max_silence_ms);
  wanted.max_silence_ms = most == 0 ? DefaultMaxSilenceMs(wanted.eagerness) : most;
  if (update.silence_duration_ms != 0) {
    wanted.silence_duration_ms = static_cast<int>(update.silence_duration_ms);
  }
  *detection = wanted;
  return std::nullopt;
}

std::optional<Refusal> Apply(const InterruptionUpdate& update, Interruption* interruption) {
  const std::string field = "interruption.";
  if (update.policy < kUnspecified || update.policy > kPolicyEager) {
    return Bad(field + "policy", update.policy, "POLICY_OFF (1), POLICY_CAUTIOUS (2) or POLICY_EAGER (3)");
  }
  *interruption = {};
  if (update.policy == kPolicyOff) interruption->policy = InterruptionPolicy::kOff;
  if (update.policy == kPolicyEager) interruption->policy = InterruptionPolicy::kEager;
  if (update.min_voice_ms == 0) return std::nullopt;
  if (update.min_voice_ms < kMinVoiceMs || update.min_voice_ms > kMaxVoiceMs) {
    return Bad(field + "min_voice_ms", update.min_voice_ms, "100 to 3000, or 0 for 500");
  }
  interruption->min_voice_ms = static_cast<int>(update.min_voice_ms);
  return std::nullopt;
}

std::optional<Refusal> Apply(const SpeechEnhancementUpdate& update, SpeechEnhancement* enhancement) {
  const int noise = update.noise_suppression;
  if (noise < kUnspecified || noise > kNoiseSuppressionHigh) {
    return Bad("speech_enhancement.noise_suppression", noise,
               "NOISE_SUPPRESSION_OFF (1), NOISE_SUPPRESSION_LOW (2), NOISE_SUPPRESSION_MODERATE (3) or "
               "NOISE_SUPPRESSION_HIGH (4)");
  }
  *enhancement = {};
  if (noise != kUnspecified) enhancement->noise_suppression = static_cast<NoiseSuppression>(noise - 1);
  enhancement->echo_cancellation = update.echo_cancellation;
  return std::nullopt;
}

std::optional<Refusal> Apply(const SamplingUpdate& update, SamplingOptions* sampling) {
  const std::string field = "sampling.";
  if (!(update.temperature >= 0.0f && update.temperature <= 2.0f)) {
    return Bad(field + "temperature", update.temperature, "0 to 2");
  }
  if (update.top_k > kMaxTopK) return Bad(field + "top_k", update.top_k, "at most 10000");
  if (!(update.top_p >= 0.0f && update.top_p <= 1.0f)) {
    return Bad(field + "top_p", update.top_p, "above 0 and at most 1, or 0 for 1");
  }
  const float penalty = update.repetition_penalty == 0.0f ? 1.0f : update.repetition_penalty;
  if (!(penalty >= 1.0f && penalty <= 2.0f)) {
    return Bad(field + "repetition_penalty", update.repetition_penalty, "1 to 2, or 0 for 1");
  }
  const float top_p = update.top_p == 0.0f ? 1.0f : update.top_p;
  *sampling = {update.temperature, static_cast<int>(update.top_k), top_p, penalty, update.seed};
  return std::nullopt;
}

std::optional<Refusal> ApplyVoice(const std::string& voice, bool manners, SpeechManner* manner) {
  if (voice.empty()) return std::nullopt;
  const std::string choices = manners ? "\"own\" or \"low\"" : "\"own\"";
  // What is long is no name and not worth repeating.
  if (voice.size() > kMaxVoiceBytes) return Bad("voice", std::to_string(voice.size()) + " bytes", choices);
  for (const SpeechVoice known : {SpeechVoice::kOwn, SpeechVoice::kLow}) {
    if (voice != NameOf(known) || (known != SpeechVoice::kOwn && !manners)) continue;
    manner->voice = known;
    return std::nullopt;
  }
  return Bad("voice", "\"" + voice + "\"", choices);
}

std::optional<Refusal> ApplySpeed(int speed, bool manners, SpeechManner* manner) {
  const std::string field = "speed";
  if (speed == kUnspecified) return std::nullopt;
  if (speed < kSpeedSlow || speed > kSpeedFast) {
    return Bad(field, speed, "SPEED_SLOW (1), SPEED_NORMAL (2) or SPEED_FAST (3)");
  }
  if (speed != kSpeedNormal && !manners) {
    return Refusal{Status(StatusCode::kUnimplemented,
                          field + " is not SPEED_NORMAL: this model speaks at no other speed"),
                   kPath + field};
  }
  manner->speed = speed == kSpeedSlow   ? SpeechSpeed::kSlow
                  : speed == kSpeedFast ? SpeechSpeed::kFast
                                        : SpeechSpeed::kNormal;
  return std::nullopt;
}

std::optional<Refusal> ApplyFunctions(const std::vector<Function>& functions, bool calls_functions,
                                      std::vector<Function>* current) {
  const std::string field = "functions";
  if (!functions.empty() && !calls_functions) {
    return Refusal{Status(StatusCode::kUnimplemented, field + " is not empty: this model calls none"),
                   kPath + field};
  }
  if (auto mistake = CheckFunctions(functions, field)) {
    mistake->field = kPath + mistake->field;
    return mistake;
  }
  *current = functions;
  return std::nullopt;
}

// How many pieces they have is the engine's to say.
std::optional<Refusal> ApplyInstructions(const std::string& instructions, bool known, std::string* current) {
  const std::string field = "instructions";
  if (!instructions.empty() && !known) {
    return Refusal{
        Status(StatusCode::kUnimplemented, field + " are not empty: this model was not trained with any"),
        kPath + field};
  }
  if (instructions.size() > kMaxInstructionBytes) {
    return Refusal{InvalidArgument(field + " have " + std::to_string(instructions.size()) +
                                   " bytes, must have at most 16384"),
                   kPath + field};
  }
  *current = instructions;
  return std::nullopt;
}

std::optional<Refusal> ApplyAll(const ConfigUpdate& update, const ModelAbilities& model,
                                SessionConfig* config) {
  if (auto bad = Apply(update.output_modalities, model.draws, config)) return bad;
  if (auto bad = ApplyVoice(update.voice, model.manners, &config->manner)) return bad;
  if (auto bad = ApplySpeed(update.speed, model.manners, &config->manner)) return bad;
  if (update.input_audio) {
    if (auto bad = Apply(*update.input_audio, "input_audio", /*sends=*/false, &config->input)) return bad;
  }
  if (update.output_audio) {
    if (auto bad = Apply(*update.output_audio, "output_audio", /*sends=*/true, &config->output)) return bad;
  }
  if (update.turn_detection) {
    if (auto bad = Apply(*update.turn_detection, &config->turn_detection)) return bad;
  }
  if (update.sampling) {
    if (auto bad = Apply(*update.sampling, &config->sampling)) return bad;
  }
  if (update.max_response_seconds > kMaxResponseSeconds) {
    return Bad("max_response_seconds", update.max_response_seconds, "1 to 60, or 0 to leave it");
  }
  if (update.max_response_seconds != 0) {
    config->max_response_seconds = static_cast<int>(update.max_response_seconds);
  }
  if (update.max_video_frames > kMaxVideoFrames) {
    return Bad("max_video_frames", update.max_video_frames, "1 to 8, or 0 to leave it");
  }
  if (update.max_video_frames != 0) config->max_video_frames = static_cast<int>(update.max_video_frames);
  if (update.interruption) {
    if (auto bad = Apply(*update.interruption, &config->interruption)) return bad;
  }
  if (update.playback_delay_ms) {
    if (*update.playback_delay_ms > kMaxPlaybackDelayMs) {
      return Bad("playback_delay_ms", *update.playback_delay_ms, "0 to 2000");
    }
    config->playback_delay_ms = static_cast<int>(*update.playback_delay_ms);
  }
  const uint32_t lead = update.max_lead_ms;
  if (lead != 0 && (lead < kMinLeadMs || lead > static_cast<uint32_t>(kMaxLeadMs))) {
    return Bad("max_lead_ms", lead, "200 to 60000, or 0 to leave it");
  }
  if (lead != 0) config->max_lead_ms = static_cast<int>(lead);
  if (update.speech_enhancement) {
    if (auto bad = Apply(*update.speech_enhancement, &config->enhancement)) return bad;
  }
  if (update.functions) {
    if (auto bad = ApplyFunctions(*update.functions, model.calls_functions, &config->functions)) return bad;
  }
  if (update.instructions) {
    if (auto bad = ApplyInstructions(*update.instructions, model.instructions, &config->instructions)) {
      return bad;
    }
  }
  return std::nullopt;
}

}  // namespace

ModelAbilities AbilitiesOf(const ModelDescription& model) {
  return {.draws = model.image_side > 0,
          .manners = model.manners,
          .calls_functions = model.calls_functions,
          .instructions = model.max_instruction_pieces > 0};
}

const char* NameOf(SpeechVoice voice) { return voice == SpeechVoice::kLow ? "low" : "own"; }

ConfigUpdate UpdateTo(const SessionConfig& config) {
  ConfigUpdate update;
  update.output_modalities.push_back(kModalityText);
  if (config.speak) update.output_modalities.push_back(kModalityAudio);
  if (config.draw) update.output_modalities.push_back(kModalityImage);
  // Enumerators stand in the order of those of the wire, which begin with "unspecified".
  const auto number = [](auto value) { return static_cast<int>(value) + 1; };
  const auto format = [&](const AudioFormat& audio) {
    return AudioFormatUpdate{number(audio.encoding), static_cast<uint32_t>(audio.sample_rate),
                             static_cast<uint32_t>(audio.expected_loss_percent)};
  };
  update.input_audio = format(config.input);
  update.output_audio = format(config.output);
  const TurnDetection& turns = config.turn_detection;
  update.turn_detection = TurnDetectionUpdate{number(turns.mode),
                                              turns.threshold,
                                              static_cast<uint32_t>(turns.max_silence_ms),
                                              number(turns.eagerness),
                                              static_cast<uint32_t>(turns.silence_duration_ms),
                                              static_cast<uint32_t>(turns.prefix_padding_ms),
                                              turns.vad_threshold};
  const SamplingOptions& sampling = config.sampling;
  update.sampling = SamplingUpdate{sampling.temperature, static_cast<uint32_t>(sampling.top_k),
                                   sampling.top_p, sampling.repetition_penalty, sampling.seed};
  update.max_response_seconds = static_cast<uint32_t>(config.max_response_seconds);
  update.max_video_frames = static_cast<uint32_t>(config.max_video_frames);
  update.voice = NameOf(config.manner.voice);
  update.speed = number(config.manner.speed);
  update.interruption = InterruptionUpdate{number(config.interruption.policy),
                                           static_cast<uint32_t>(config.interruption.min_voice_ms)};
  update.playback_delay_ms = static_cast<uint32_t>(config.playback_delay_ms);
  update.max_lead_ms = static_cast<uint32_t>(config.max_lead_ms);
  update.speech_enhancement = SpeechEnhancementUpdate{number(config.enhancement.noise_suppression),
                                                      config.enhancement.echo_cancellation};
  update.functions = config.functions;
  update.instructions = config.instructions;
  return update;
}

std::variant<SessionConfig, Refusal> ApplyUpdate(const SessionConfig& current, const ConfigUpdate& update,
                                                 const ModelAbilities& model) {
  SessionConfig config = current;
  if (auto refusal = ApplyAll(update, model, &config)) return *std::move(refusal);
  return config;
}

}  // namespace antiphon
