#include "client/wire.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/grpc_status.h"

namespace antiphon::client {
namespace {

constexpr int kMaxExpectedLoss = 30;

template <typename Modalities>
bool Has(const Modalities& modalities, v1::Modality modality) {
  return std::ranges::find(modalities, modality) != modalities.end();
}

// Speeds of later versions are left out.
std::optional<SpeechSpeed> FromWire(int speed) {
  switch (speed) {
    case v1::SPEED_SLOW:
      return SpeechSpeed::kSlow;
    case v1::SPEED_NORMAL:
      return SpeechSpeed::kNormal;
    case v1::SPEED_FAST:
      return SpeechSpeed::kFast;
    default:
      return std::nullopt;
  }
}

v1::Speed ToWire(SpeechSpeed speed) {
  switch (speed) {
    case SpeechSpeed::kSlow:
      return v1::SPEED_SLOW;
    case SpeechSpeed::kNormal:
      return v1::SPEED_NORMAL;
    case SpeechSpeed::kFast:
      return v1::SPEED_FAST;
  }
  return v1::SPEED_UNSPECIFIED;
}

v1::Interruption::Policy ToWire(Interruption::Policy policy) {
  switch (policy) {
    case Interruption::Policy::kOff:
      return v1::Interruption::POLICY_OFF;
    case Interruption::Policy::kCautious:
      return v1::Interruption::POLICY_CAUTIOUS;
    case Interruption::Policy::kEager:
      return v1::Interruption::POLICY_EAGER;
  }
  return v1::Interruption::POLICY_UNSPECIFIED;
}

v1::SpeechEnhancement::NoiseSuppression ToWire(NoiseSuppression suppression) {
  switch (suppression) {
    case NoiseSuppression::kOff:
      return v1::SpeechEnhancement::NOISE_SUPPRESSION_OFF;
    case NoiseSuppression::kLow:
      return v1::SpeechEnhancement::NOISE_SUPPRESSION_LOW;
    case NoiseSuppression::kModerate:
      return v1::SpeechEnhancement::NOISE_SUPPRESSION_MODERATE;
    case NoiseSuppression::kHigh:
      return v1::SpeechEnhancement::NOISE_SUPPRESSION_HIGH;
  }
  return v1::SpeechEnhancement::NOISE_SUPPRESSION_UNSPECIFIED;
}

// nullopt for a suppression of later versions.
std::optional<SpeechEnhancement> FromWire(const v1::SpeechEnhancement& wire) {
  SpeechEnhancement enhancement{.echo_cancellation = wire.echo_cancellation()};
  switch (wire.noise_suppression()) {
    case v1::SpeechEnhancement::NOISE_SUPPRESSION_OFF:
      return enhancement;
    case v1::SpeechEnhancement::NOISE_SUPPRESSION_LOW:
      enhancement.noise_suppression = NoiseSuppression::kLow;
      return enhancement;
    case v1::SpeechEnhancement::NOISE_SUPPRESSION_MODERATE:
      enhancement.noise_suppression = NoiseSuppression::kModerate;
      return enhancement;
    case v1::SpeechEnhancement::NOISE_SUPPRESSION_HIGH:
      enhancement.noise_suppression = NoiseSuppression::kHigh;
      return enhancement;
    default:
      return std::nullopt;
  }
}

Interruption FromWire(const v1::Interruption& wire) {
  Interruption interruption{.min_voice_ms = static_cast<int>(wire.min_voice_ms())};
  if (wire.policy() == v1::Interruption::POLICY_OFF) interruption.policy = Interruption::Policy::kOff;
  if (wire.policy() == v1::Interruption::POLICY_EAGER) interruption.policy = Interruption::Policy::kEager;
  return interruption;
}

v1::TurnDetection::Mode ToWire(TurnDetectionMode mode) {
  switch (mode) {
    case TurnDetectionMode::kNone:
      return v1::TurnDetection::MODE_NONE;
    case TurnDetectionMode::kSemantic:
      return v1::TurnDetection::MODE_SEMANTIC;
    case TurnDetectionMode::kServerVad:
      return v1::TurnDetection::MODE_SERVER_VAD;
  }
  return v1::TurnDetection::MODE_UNSPECIFIED;
}

v1::TurnDetection::Eagerness ToWire(Eagerness eagerness) {
  switch (eagerness) {
    case Eagerness::kLow:
      return v1::TurnDetection::EAGERNESS_LOW;
    case Eagerness::kMedium:
      return v1::TurnDetection::EAGERNESS_MEDIUM;
    case Eagerness::kHigh:
      return v1::TurnDetection::EAGERNESS_HIGH;
  }
  return v1::TurnDetection::EAGERNESS_UNSPECIFIED;
}

void ToWire(const TurnDetection& detection, v1::TurnDetection* wire) {
  wire->set_mode(ToWire(detection.mode));
  wire->set_threshold(detection.threshold);
  wire->set_max_silence_ms(static_cast<uint32_t>(detection.max_silence_ms));
  if (detection.eagerness) wire->set_eagerness(ToWire(*detection.eagerness));
  wire->set_silence_duration_ms(static_cast<uint32_t>(detection.silence_duration_ms));
  if (detection.prefix_padding_ms) {
    wire->set_prefix_padding_ms(static_cast<uint32_t>(*detection.prefix_padding_ms));
  }
  if (detection.vad_threshold) wire->set_vad_threshold(*detection.vad_threshold);
}

TurnDetection FromWire(const v1::TurnDetection& wire) {
  TurnDetection detection{.threshold = wire.threshold(),
                          .max_silence_ms = static_cast<int>(wire.max_silence_ms()),
                          .silence_duration_ms = static_cast<int>(wire.silence_duration_ms())};
  if (wire.mode() == v1::TurnDetection::MODE_NONE) detection.mode = TurnDetectionMode::kNone;
  if (wire.mode() == v1::TurnDetection::MODE_SERVER_VAD) detection.mode = TurnDetectionMode::kServerVad;
  for (const Eagerness eagerness : {Eagerness::kLow, Eagerness::kMedium, Eagerness::kHigh}) {
    if (wire.eagerness() == ToWire(eagerness)) detection.eagerness = eagerness;
  }
  if (wire.has_prefix_padding_ms()) detection.prefix_padding_ms = static_cast<int>(wire.prefix_padding_ms());
  if (wire.has_vad_threshold()) detection.vad_threshold = wire.vad_threshold();
  return detection;
}

v1::AudioEncoding ToWire(AudioEncoding encoding) {
  switch (encoding) {
    case AudioEncoding::kPcm16:
      return v1::AUDIO_ENCODING_PCM16;
    case AudioEncoding::kOpus:
      return v1::AUDIO_ENCODING_OPUS;
    case AudioEncoding::kG711Ulaw:
      return v1::AUDIO_ENCODING_G711_ULAW;
    case AudioEncoding::kG711Alaw:
      return v1::AUDIO_ENCODING_G711_ALAW;
  }
  return v1::AUDIO_ENCODING_UNSPECIFIED;
}

Session FromWire(v1::SessionCreated&& wire) {
  return {std::move(*wire.mutable_session_id()),        std::move(*wire.mutable_model()),
          std::move(*wire.mutable_model_version()),     client::FromWire(wire.config()),
          static_cast<int>(wire.max_session_seconds()), std::chrono::milliseconds(wire.resume_grace_ms())};
}

Result<WireBody> FromWire(v1::TurnEnded&& wire) {
  TurnEnded event;
  switch (wire.cause()) {
    case v1::TurnEnded::CAUSE_MODEL:
      event.cause = TurnEndCause::kModel;
      break;
    case v1::TurnEnded::CAUSE_COMMIT:
      event.cause = TurnEndCause::kCommit;
      break;
    case v1::TurnEnded::CAUSE_SILENCE:
      event.cause = TurnEndCause::kSilence;
      break;
    case v1::TurnEnded::CAUSE_LENGTH:
      event.cause = TurnEndCause::kLength;
      break;
    default:
      return DataLoss("turn_ended.cause is " + std::to_string(wire.cause()) +
                      ", which is none of its values");
  }
  event.transcript = std::move(*wire.mutable_transcript());
  return WireBody(std::move(event));
}

PacketFates FromWire(const v1::PacketFates& wire) {
  return {static_cast<int>(wire.recovered()), static_cast<int>(wire.concealed()),
          static_cast<int>(wire.late()), static_cast<int>(wire.duplicates())};
}

Usage FromWire(const v1::Usage& wire) {
  return {static_cast<int>(wire.heard_frames()),           static_cast<int>(wire.input_text_pieces()),
          static_cast<int>(wire.output_text_pieces()),     static_cast<int>(wire.spoken_frames()),
          static_cast<int>(wire.context_positions()),      static_cast<int>(wire.input_images()),
          static_cast<int>(wire.output_images()),          static_cast<int>(wire.input_video_frames()),
          static_cast<int>(wire.dropped_video_frames()),   FromWire(wire.input_packets()),
          static_cast<int>(wire.input_function_outputs()), static_cast<int>(wire.input_function_pieces()),
          static_cast<int>(wire.output_function_calls()),  static_cast<int>(wire.output_function_pieces())};
}

LatencyLedger FromWire(const v1::LatencyLedger& wire) {
  return {wire.last_speech_received_us(),
          wire.endpoint_decided_us(),
          wire.first_symbol_us(),
          wire.first_frame_us(),
          wire.first_packet_sent_us(),
          static_cast<int>(wire.least_margin_ms()),
          static_cast<int>(wire.underruns()),
          wire.first_image_us()};
}

Result<WireBody> FromWire(v1::ResponseDone&& wire) {
  ResponseDone event;
  switch (wire.status()) {
    case v1::ResponseDone::STATUS_COMPLETED:
      event.end = ResponseEnd::kCompleted;
      break;
    case v1::ResponseDone::STATUS_CANCELLED:
      event.end = ResponseEnd::kCancelled;
      break;
    case v1::ResponseDone::STATUS_INCOMPLETE:
      event.end = ResponseEnd::kIncomplete;
      break;
    case v1::ResponseDone::STATUS_FAILED:
      event.end = ResponseEnd::kFailed;
      break;
    default:
      return DataLoss("response_done.status is " + std::to_string(wire.status()) +
                      ", which is none of its values");
  }
  event.response_id = std::move(*wire.mutable_response_id());
  event.text = std::move(*wire.mutable_text());
  event.usage = FromWire(wire.usage());
  event.ledger = FromWire(wire.ledger());
  return WireBody(std::move(event));
}

Result<WireBody> FromWire(v1::Error&& wire) {
  const StatusCode code = FromCanonicalCode(wire.code());
  if (code == StatusCode::kOk) return DataLoss("error.code is 0, which is no error");
  return WireBody(ServerError{{code, std::move(*wire.mutable_message())}, std::move(*wire.mutable_field())});
}

// What a conversation's events and those of a Generate call have in common.
template <typename Message>
Result<WireBody> FromResponse(Message& wire, std::string* audio) {
  switch (wire.event_case()) {
    case Message::kTranscriptDelta:
      return WireBody(TranscriptDelta{std::move(*wire.mutable_transcript_delta()->mutable_text())});
    case Message::kTextDelta: {
      v1::TextDelta& delta = *wire.mutable_text_delta();
      return WireBody(TextDelta{std::move(*delta.mutable_response_id()), std::move(*delta.mutable_text())});
    }
    case Message::kAudioDelta: {
      v1::AudioDelta& delta = *wire.mutable_audio_delta();
      *audio = std::move(*delta.mutable_audio());
      return WireBody(AudioDelta{std::move(*delta.mutable_response_id()), {}, delta.first_sample()});
    }
    case Message::kImageStarted: {
      v1::ImageStarted& started = *wire.mutable_image_started();
      return WireBody(ImageStarted{std::move(*started.mutable_response_id()),
                                   static_cast<int>(started.image_index()), static_cast<int>(started.width()),
                                   static_cast<int>(started.height()), static_cast<int>(started.grid())});
    }
    case Message::kImageDelta: {
      v1::ImageDelta& delta = *wire.mutable_image_delta();
      return WireBody(ImageDelta{std::move(*delta.mutable_response_id()),
                                 static_cast<int>(delta.image_index()), static_cast<int>(delta.rows()),
                                 std::move(*delta.mutable_preview())});
    }
    case Message::kImageDone: {
      v1::ImageDone& done = *wire.mutable_image_done();
      return WireBody(ImageDone{std::move(*done.mutable_response_id()), static_cast<int>(done.image_index()),
                                std::move(*done.mutable_png())});
    }
    case Message::kResponseDone:
      return FromWire(std::move(*wire.mutable_response_done()));
    default:
      return WireBody(std::monostate{});
  }
}

}  // namespace

Status CheckFormat(const AudioFormat& format, const char* field) {
  std::vector<int> rates = {24000, 48000};
  const char* allowed = "24000 or 48000 for Opus";
  const bool opus = format.encoding == AudioEncoding::kOpus;
  if (format.encoding == AudioEncoding::kPcm16) {
    rates.insert(rates.end(), {8000, 16000});
    allowed = "8000, 16000, 24000 or 48000";
  } else if (!opus) {
    rates = {8000};
    allowed = "8000 for G.711";
  }
  if (std::ranges::find(rates, format.sample_rate) == rates.end()) {
    return InvalidArgument(std::string(field) + ".sample_rate is " + std::to_string(format.sample_rate) +
                           ", must be " + allowed);
  }
  const int loss = format.expected_loss_percent;
  if (loss >= 0 && loss <= (opus ? kMaxExpectedLoss : 0)) return OkStatus();
  return InvalidArgument(std::string(field) + ".expected_loss_percent is " + std::to_string(loss) +
                         ", must be 0 to 30 for Opus and 0 for other encodings");
}

void ToWire(const AudioFormat& format, v1::AudioFormat* wire) {
  wire->set_encoding(ToWire(format.encoding));
  wire->set_sample_rate(static_cast<uint32_t>(format.sample_rate));
  wire->set_expected_loss_percent(static_cast<uint32_t>(format.expected_loss_percent));
}

void ToWire(const SessionSettings& settings, v1::SessionConfig* wire) {
  if (settings.speak || settings.draw) {
    wire->add_output_modalities(v1::MODALITY_TEXT);
    if (settings.speak.value_or(true)) wire->add_output_modalities(v1::MODALITY_AUDIO);
    if (settings.draw.value_or(false)) wire->add_output_modalities(v1::MODALITY_IMAGE);
  }
  if (settings.turn_detection) ToWire(*settings.turn_detection, wire->mutable_turn_detection());
  if (settings.sampling) {
    const SamplingOptions& from = *settings.sampling;
    v1::Sampling* to = wire->mutable_sampling();
    to->set_temperature(from.temperature);
    to->set_top_k(static_cast<uint32_t>(from.top_k));
    to->set_top_p(from.top_p);
    to->set_repetition_penalty(from.repetition_penalty);
    to->set_seed(from.seed);
  }
  if (settings.max_response_seconds) {
    wire->set_max_response_seconds(static_cast<uint32_t>(*settings.max_response_seconds));
  }
  if (settings.max_video_frames) {
    wire->set_max_video_frames(static_cast<uint32_t>(*settings.max_video_frames));
  }
  if (settings.voice) wire->set_voice(*settings.voice);
  if (settings.speed) wire->set_speed(ToWire(*settings.speed));
  if (settings.interruption) {
    wire->mutable_interruption()->set_policy(ToWire(settings.interruption->policy));
    wire->mutable_interruption()->set_min_voice_ms(
        static_cast<uint32_t>(settings.interruption->min_voice_ms));
  }
  if (settings.playback_delay_ms) {
    wire->set_playback_delay_ms(static_cast<uint32_t>(*settings.playback_delay_ms));
  }
  if (settings.max_lead_ms) wire->set_max_lead_ms(static_cast<uint32_t>(*settings.max_lead_ms));
  if (settings.enhancement) {
    v1::SpeechEnhancement* enhancement = wire->mutable_speech_enhancement();
    enhancement->set_noise_suppression(ToWire(settings.enhancement->noise_suppression));
    enhancement->set_echo_cancellation(settings.enhancement->echo_cancellation);
  }
  if (settings.functions) {
    wire->mutable_functions();  // set, also when there are none
    for (const Function& function : *settings.functions) {
      v1::Function* added = wire->mutable_functions()->add_functions();
      added->set_name(function.name);
      added->set_description(function.description);
      added->set_parameters(function.parameters);
    }
  }
  if (settings.instructions) wire->set_instructions(*settings.instructions);
}

SessionSettings FromWire(const v1::SessionConfig& wire) {
  SessionSettings settings;
  settings.speak = Has(wire.output_modalities(), v1::MODALITY_AUDIO);
  settings.draw = Has(wire.output_modalities(), v1::MODALITY_IMAGE);
  settings.turn_detection = FromWire(wire.turn_detection());
  const v1::Sampling& sampling = wire.sampling();
  settings.sampling = SamplingOptions{sampling.temperature(), static_cast<int>(sampling.top_k()),
                                      sampling.top_p(), sampling.repetition_penalty(), sampling.seed()};
  settings.max_response_seconds = static_cast<int>(wire.max_response_seconds());
  settings.max_video_frames = static_cast<int>(wire.max_video_frames());
  if (!wire.voice().empty()) settings.voice = wire.voice();
  settings.speed = FromWire(wire.speed());
  if (wire.has_interruption()) settings.interruption = FromWire(wire.interruption());
  if (wire.has_playback_delay_ms()) settings.playback_delay_ms = static_cast<int>(wire.playback_delay_ms());
  if (wire.max_lead_ms() > 0) settings.max_lead_ms = static_cast<int>(wire.max_lead_ms());
  if (wire.has_speech_enhancement()) settings.enhancement = FromWire(wire.speech_enhancement());
  if (wire.has_functions()) {
    std::vector<Function>& functions = settings.functions.emplace();
    for (const v1::Function& function : wire.functions().functions()) {
      functions.push_back({function.name(), function.description(), function.parameters()});
    }
  }
  if (wire.has_instructions()) settings.instructions = wire.instructions();
  return settings;
}

ModelInfo FromWire(const v1::ModelInfo& wire) {
  ModelInfo info;
  info.name = wire.name();
  info.version = wire.version();
  info.parameters = wire.parameters();
  info.hears = Has(wire.input_modalities(), v1::MODALITY_AUDIO);
  info.speaks = Has(wire.output_modalities(), v1::MODALITY_AUDIO);
  info.sees = Has(wire.input_modalities(), v1::MODALITY_IMAGE);
  info.draws = Has(wire.output_modalities(), v1::MODALITY_IMAGE);
  info.sample_rate = static_cast<int>(wire.sample_rate());
  info.frame_ms = static_cast<int>(wire.frame_ms());
  info.codebooks = static_cast<int>(wire.codebooks());
  info.vocabulary_size = static_cast<int>(wire.vocabulary_size());
  info.max_positions = static_cast<int>(wire.max_positions());
  info.image_side = static_cast<int>(wire.image_side());
  info.image_grid = static_cast<int>(wire.image_grid());
  info.tells_words = wire.tells_words();
  info.calls_functions = wire.calls_functions();
  info.max_instruction_pieces = static_cast<int>(wire.max_instruction_pieces());
  info.voices.assign(wire.voices().begin(), wire.voices().end());
  for (const int speed : wire.speeds()) {
    if (const auto known = FromWire(speed)) info.speeds.push_back(*known);
  }
  return info;
}

Result<WireBody> FromWire(v1::ServerEvent&& wire, std::string* audio) {
  switch (wire.event_case()) {
    case v1::ServerEvent::kSessionCreated:
      return WireBody(FromWire(std::move(*wire.mutable_session_created())));
    case v1::ServerEvent::kSessionUpdated:
      return WireBody(SessionUpdated{FromWire(wire.session_updated().config())});
    case v1::ServerEvent::kSpeechStarted:
      return WireBody(SpeechStarted{wire.speech_started().audio_offset_samples()});
    case v1::ServerEvent::kSpeechStopped:
      return WireBody(SpeechStopped{wire.speech_stopped().audio_offset_samples()});
    case v1::ServerEvent::kTurnEnded:
      return FromWire(std::move(*wire.mutable_turn_ended()));
    case v1::ServerEvent::kResponseStarted:
      return WireBody(ResponseStarted{std::move(*wire.mutable_response_started()->mutable_response_id())});
    case v1::ServerEvent::kSessionExported:
      return WireBody(SessionExported{std::move(*wire.mutable_session_exported()->mutable_snapshot())});
    case v1::ServerEvent::kSessionImported:
      return WireBody(SessionImported{static_cast<int>(wire.session_imported().context_positions())});
    case v1::ServerEvent::kFunctionCallStarted: {
      v1::FunctionCallStarted& started = *wire.mutable_function_call_started();
      return WireBody(FunctionCallStarted{std::move(*started.mutable_response_id()),
                                          std::move(*started.mutable_call_id()),
                                          std::move(*started.mutable_name())});
    }
    case v1::ServerEvent::kFunctionCallArgumentsDelta: {
      v1::FunctionCallArgumentsDelta& delta = *wire.mutable_function_call_arguments_delta();
      return WireBody(FunctionCallArgumentsDelta{std::move(*delta.mutable_response_id()),
                                                 std::move(*delta.mutable_call_id()),
                                                 std::move(*delta.mutable_arguments())});
    }
    case v1::ServerEvent::kFunctionCallDone: {
      v1::FunctionCallDone& done = *wire.mutable_function_call_done();
      return WireBody(FunctionCallDone{std::move(*done.mutable_response_id()),
                                       std::move(*done.mutable_call_id()), std::move(*done.mutable_name()),
                                       std::move(*done.mutable_arguments()), done.fits(),
                                       std::move(*done.mutable_fault())});
    }
    case v1::ServerEvent::kPlaybackPaused: {
      v1::PlaybackPaused& paused = *wire.mutable_playback_paused();
      return WireBody(PlaybackPaused{std::move(*paused.mutable_response_id()), paused.played_samples()});
    }
    case v1::ServerEvent::kPlaybackResumed: {
      v1::PlaybackResumed& resumed = *wire.mutable_playback_resumed();
      return WireBody(PlaybackResumed{std::move(*resumed.mutable_response_id()), resumed.played_samples()});
    }
    case v1::ServerEvent::kResponseInterrupted: {
      v1::ResponseInterrupted& interrupted = *wire.mutable_response_interrupted();
      return WireBody(ResponseInterrupted{std::move(*interrupted.mutable_response_id()),
                                          interrupted.played_samples(),
                                          std::move(*interrupted.mutable_heard_text())});
    }
    case v1::ServerEvent::kError:
      return FromWire(std::move(*wire.mutable_error()));
    default:
      return FromResponse(wire, audio);
  }
}

Result<WireBody> FromWire(v1::GenerateResponse&& wire, std::string* audio) {
  if (!wire.has_started()) return FromResponse(wire, audio);
  v1::GenerateStarted& started = *wire.mutable_started();
  return WireBody(Session{.id = std::move(*started.mutable_id()),
                          .model = std::move(*started.mutable_model()),
                          .model_version = std::move(*started.mutable_model_version()),
                          .settings = {}});
}

}  // namespace antiphon::client
