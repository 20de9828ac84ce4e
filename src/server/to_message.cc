#include <utility>

#include "server/grpc_status.h"
#include "server/messages.h"

namespace antiphon {
namespace {

v1::AudioEncoding ToMessage(AudioEncoding encoding) {
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

void Fill(const AudioFormat& format, v1::AudioFormat* message) {
  message->set_encoding(ToMessage(format.encoding));
  message->set_sample_rate(static_cast<uint32_t>(format.sample_rate));
  message->set_expected_loss_percent(static_cast<uint32_t>(format.expected_loss_percent));
}

void Fill(const PacketFates& fates, v1::PacketFates* message) {
  message->set_recovered(fates.recovered);
  message->set_concealed(fates.concealed);
  message->set_late(fates.late);
  message->set_duplicates(fates.duplicates);
}

v1::Speed ToMessage(SpeechSpeed speed) {
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

v1::Interruption::Policy ToMessage(InterruptionPolicy policy) {
  switch (policy) {
    case InterruptionPolicy::kOff:
      return v1::Interruption::POLICY_OFF;
    case InterruptionPolicy::kCautious:
      return v1::Interruption::POLICY_CAUTIOUS;
    case InterruptionPolicy::kEager:
      return v1::Interruption::POLICY_EAGER;
  }
  return v1::Interruption::POLICY_UNSPECIFIED;
}

v1::SpeechEnhancement::NoiseSuppression ToMessage(NoiseSuppression suppression) {
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

v1::TurnDetection::Mode ToMessage(TurnDetectionMode mode) {
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

v1::TurnDetection::Eagerness ToMessage(Eagerness eagerness) {
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

void Fill(const TurnDetection& detection, v1::TurnDetection* message) {
  message->set_mode(ToMessage(detection.mode));
  message->set_threshold(detection.threshold);
  message->set_max_silence_ms(static_cast<uint32_t>(detection.max_silence_ms));
  message->set_eagerness(ToMessage(detection.eagerness));
  message->set_silence_duration_ms(static_cast<uint32_t>(detection.silence_duration_ms));
  message->set_prefix_padding_ms(static_cast<uint32_t>(detection.prefix_padding_ms));
  message->set_vad_threshold(detection.vad_threshold);
}

void Fill(const SessionConfig& config, v1::SessionConfig* message) {
  message->add_output_modalities(v1::MODALITY_TEXT);
  if (config.speak) message->add_output_modalities(v1::MODALITY_AUDIO);
  if (config.draw) message->add_output_modalities(v1::MODALITY_IMAGE);
  Fill(config.input, message->mutable_input_audio());
  Fill(config.output, message->mutable_output_audio());
  Fill(config.turn_detection, message->mutable_turn_detection());
  v1::Sampling* sampling = message->mutable_sampling();
  sampling->set_temperature(config.sampling.temperature);
  sampling->set_top_k(static_cast<uint32_t>(config.sampling.top_k));
  sampling->set_top_p(config.sampling.top_p);
  sampling->set_repetition_penalty(config.sampling.repetition_penalty);
  sampling->set_seed(config.sampling.seed);
  message->set_max_response_seconds(static_cast<uint32_t>(config.max_response_seconds));
  message->set_max_video_frames(static_cast<uint32_t>(config.max_video_frames));
  message->set_voice(NameOf(config.manner.voice));
  message->set_speed(ToMessage(config.manner.speed));
  message->mutable_interruption()->set_policy(ToMessage(config.interruption.policy));
  message->mutable_interruption()->set_min_voice_ms(static_cast<uint32_t>(config.interruption.min_voice_ms));
  message->set_playback_delay_ms(static_cast<uint32_t>(config.playback_delay_ms));
  message->set_max_lead_ms(static_cast<uint32_t>(config.max_lead_ms));
  v1::SpeechEnhancement* enhancement = message->mutable_speech_enhancement();
  enhancement->set_noise_suppression(ToMessage(config.enhancement.noise_suppression));
  enhancement->set_echo_cancellation(config.enhancement.echo_cancellation);
  v1::Functions* functions = message->mutable_functions();  // also of none: complete
  for (const Function& function : config.functions) {
    v1::Function* added = functions->add_functions();
    added->set_name(function.name);
    added->set_description(function.description);
    added->set_parameters(function.parameters);
  }
  message->set_instructions(config.instructions);
}

v1::TurnEnded::Cause ToMessage(TurnEndCause cause) {
  switch (cause) {
    case TurnEndCause::kModel:
      return v1::TurnEnded::CAUSE_MODEL;
    case TurnEndCause::kCommit:
      return v1::TurnEnded::CAUSE_COMMIT;
    case TurnEndCause::kSilence:
      return v1::TurnEnded::CAUSE_SILENCE;
    case TurnEndCause::kLength:
      return v1::TurnEnded::CAUSE_LENGTH;
  }
  return v1::TurnEnded::CAUSE_UNSPECIFIED;
}

v1::ResponseDone::Status ToMessage(ResponseEnd end) {
  switch (end) {
    case ResponseEnd::kCompleted:
      return v1::ResponseDone::STATUS_COMPLETED;
    case ResponseEnd::kCancelled:
      return v1::ResponseDone::STATUS_CANCELLED;
    case ResponseEnd::kIncomplete:
      return v1::ResponseDone::STATUS_INCOMPLETE;
    case ResponseEnd::kFailed:
      return v1::ResponseDone::STATUS_FAILED;
  }
  return v1::ResponseDone::STATUS_UNSPECIFIED;
}

// Writes one alternative of a ServerEvent into the oneof of a message that has it.
template <typename Message>
struct ResponseFiller {
  Message* message;

  void operator()(server_event::TranscriptDelta& event) {
    message->mutable_transcript_delta()->set_text(std::move(event.text));
  }
  void operator()(server_event::TextDelta& event) {
    message->mutable_text_delta()->set_response_id(std::move(event.response_id));
    message->mutable_text_delta()->set_text(std::move(event.text));
  }
  void operator()(server_event::AudioDelta& event) {
    v1::AudioDelta* delta = message->mutable_audio_delta();
    delta->set_response_id(std::move(event.response_id));
    delta->set_audio(std::move(event.audio));
    delta->set_first_sample(event.first_sample);
    if (event.packet_number) delta->set_packet_number(*event.packet_number);
  }
  void operator()(server_event::ImageStarted& event) {
    v1::ImageStarted* started = message->mutable_image_started();
    started->set_response_id(std::move(event.response_id));
    started->set_image_index(static_cast<uint32_t>(event.image_index));
    started->set_width(static_cast<uint32_t>(event.width));
    started->set_height(static_cast<uint32_t>(event.height));
    started->set_grid(static_cast<uint32_t>(event.grid));
  }
  void operator()(server_event::ImageDelta& event) {
    v1::ImageDelta* delta = message->mutable_image_delta();
    delta->set_response_id(std::move(event.response_id));
    delta->set_image_index(static_cast<uint32_t>(event.image_index));
    delta->set_rows(static_cast<uint32_t>(event.rows));
    delta->set_preview(std::move(event.preview));
  }
  void operator()(server_event::ImageDone& event) {
    v1::ImageDone* done = message->mutable_image_done();
    done->set_response_id(std::move(event.response_id));
    done->set_image_index(static_cast<uint32_t>(event.image_index));
    done->set_png(std::move(event.png));
  }
  void operator()(server_event::ResponseDone& event) {
    v1::ResponseDone* done = message->mutable_response_done();
    done->set_response_id(std::move(event.response_id));
    done->set_status(ToMessage(event.end));
    done->set_text(std::move(event.text));
    v1::Usage* usage = done->mutable_usage();
    usage->set_heard_frames(static_cast<uint32_t>(event.usage.heard_frames));
    usage->set_input_text_pieces(static_cast<uint32_t>(event.usage.input_text_pieces));
    usage->set_output_text_pieces(static_cast<uint32_t>(event.usage.output_text_pieces));
    usage->set_spoken_frames(static_cast<uint32_t>(event.usage.spoken_frames));
    usage->set_context_positions(static_cast<uint32_t>(event.usage.context_positions));
    usage->set_input_images(static_cast<uint32_t>(event.usage.input_images));
    usage->set_output_images(static_cast<uint32_t>(event.usage.output_images));
    usage->set_input_video_frames(static_cast<uint32_t>(event.usage.input_video_frames));
    usage->set_dropped_video_frames(static_cast<uint32_t>(event.usage.dropped_video_frames));
    Fill(event.usage.input_packets, usage->mutable_input_packets());
    usage->set_input_function_outputs(static_cast<uint32_t>(event.usage.input_function_outputs));
    usage->set_input_function_pieces(static_cast<uint32_t>(event.usage.input_function_pieces));
    usage->set_output_function_calls(static_cast<uint32_t>(event.usage.output_function_calls));
    usage->set_output_function_pieces(static_cast<uint32_t>(event.usage.output_function_pieces));
    v1::LatencyLedger* ledger = done->mutable_ledger();
    ledger->set_last_speech_received_us(event.ledger.last_speech_received_us);
    ledger->set_endpoint_decided_us(event.ledger.endpoint_decided_us);
    ledger->set_first_symbol_us(event.ledger.first_symbol_us);
    ledger->set_first_frame_us(event.ledger.first_frame_us);
    ledger->set_first_packet_sent_us(event.ledger.first_packet_sent_us);
    ledger->set_least_margin_ms(static_cast<uint32_t>(event.ledger.least_margin_ms));
    ledger->set_underruns(static_cast<uint32_t>(event.ledger.underruns));
    ledger->set_first_image_us(event.ledger.first_image_us);
  }
};

struct EventFiller : ResponseFiller<v1::ServerEvent> {
  using ResponseFiller::operator();

  void operator()(server_event::SessionCreated& event) {
    v1::SessionCreated* created = message->mutable_session_created();
    created->set_session_id(std::move(event.session_id));
    created->set_model(std::move(event.model));
    created->set_model_version(std::move(event.model_version));
    Fill(event.config, created->mutable_config());
    created->set_max_session_seconds(static_cast<uint32_t>(event.max_session_seconds));
  }
  void operator()(server_event::SessionUpdated& event) {
    Fill(event.config, message->mutable_session_updated()->mutable_config());
  }
  void operator()(server_event::SpeechStarted& event) {
    message->mutable_speech_started()->set_audio_offset_samples(event.audio_offset_samples);
  }
  void operator()(server_event::SpeechStopped& event) {
    message->mutable_speech_stopped()->set_audio_offset_samples(event.audio_offset_samples);
  }
  void operator()(server_event::TurnEnded& event) {
    message->mutable_turn_ended()->set_cause(ToMessage(event.cause));
    message->mutable_turn_ended()->set_transcript(std::move(event.transcript));
  }
  void operator()(server_event::ResponseStarted& event) {
    message->mutable_response_started()->set_response_id(std::move(event.response_id));
  }
  void operator()(server_event::SessionExported& event) {
    message->mutable_session_exported()->set_snapshot(std::move(event.snapshot));
  }
  void operator()(server_event::SessionImported& event) {
    message->mutable_session_imported()->set_context_positions(
        static_cast<uint32_t>(event.context_positions));
  }
  void operator()(server_event::PlaybackPaused& event) {
    message->mutable_playback_paused()->set_response_id(std::move(event.response_id));
    message->mutable_playback_paused()->set_played_samples(event.played_samples);
  }
  void operator()(server_event::PlaybackResumed& event) {
    message->mutable_playback_resumed()->set_response_id(std::move(event.response_id));
    message->mutable_playback_resumed()->set_played_samples(event.played_samples);
  }
  void operator()(server_event::ResponseInterrupted& event) {
    v1::ResponseInterrupted* interrupted = message->mutable_response_interrupted();
    interrupted->set_response_id(std::move(event.response_id));
    interrupted->set_played_samples(event.played_samples);
    interrupted->set_heard_text(std::move(event.heard_text));
  }
  void operator()(server_event::FunctionCallStarted& event) {
    v1::FunctionCallStarted* started = message->mutable_function_call_started();
    started->set_response_id(std::move(event.response_id));
    started->set_call_id(std::move(event.call_id));
    started->set_name(std::move(event.name));
  }
  void operator()(server_event::FunctionCallArgumentsDelta& event) {
    v1::FunctionCallArgumentsDelta* delta = message->mutable_function_call_arguments_delta();
    delta->set_response_id(std::move(event.response_id));
    delta->set_call_id(std::move(event.call_id));
    delta->set_arguments(std::move(event.arguments));
  }
  void operator()(server_event::FunctionCallDone& event) {
    v1::FunctionCallDone* done = message->mutable_function_call_done();
    done->set_response_id(std::move(event.response_id));
    done->set_call_id(std::move(event.call_id));
    done->set_name(std::move(event.name));
    done->set_arguments(std::move(event.arguments));
    done->set_fits(event.fault.empty());
    done->set_fault(std::move(event.fault));
  }
  void operator()(server_event::Error& event) {
    v1::Error* error = message->mutable_error();
    error->set_code(static_cast<uint32_t>(ToGrpc(event.refusal.status.code())));
    error->set_field(std::move(event.refusal.field));
    error->set_message(event.refusal.status.message());
    error->set_event_id(std::move(event.event_id));
  }
};

// Of what is no part of a response, only that it begins is told.
struct GenerateFiller : ResponseFiller<v1::GenerateResponse> {
  using ResponseFiller::operator();

  void operator()(server_event::SessionCreated& event) {
    v1::GenerateStarted* started = message->mutable_started();
    started->set_id(std::move(event.session_id));
    started->set_model(std::move(event.model));
    started->set_model_version(std::move(event.model_version));
  }
  template <typename Other>
  void operator()(Other&) {}
};

}  // namespace

v1::ServerEvent ToMessage(ServerEvent event) {
  v1::ServerEvent message;
  std::visit(EventFiller{{&message}}, event);
  return message;
}

std::optional<v1::GenerateResponse> ToResponse(ServerEvent event) {
  v1::GenerateResponse message;
  std::visit(GenerateFiller{{&message}}, event);
  if (message.event_case() == v1::GenerateResponse::EVENT_NOT_SET) return std::nullopt;
  return message;
}

v1::ModelInfo ToMessage(const ModelDescription& model) {
  v1::ModelInfo info;
  info.set_name(model.name);
  info.set_version(model.version);
  info.set_parameters(model.parameters);
  for (const v1::Modality modality : {v1::MODALITY_TEXT, v1::MODALITY_AUDIO, v1::MODALITY_IMAGE}) {
    if (modality == v1::MODALITY_IMAGE && model.image_side == 0) continue;
    info.add_input_modalities(modality);
    info.add_output_modalities(modality);
  }
  info.set_sample_rate(static_cast<uint32_t>(model.sample_rate));
  info.set_frame_ms(static_cast<uint32_t>(int64_t{1000} * model.frame_samples / model.sample_rate));
  info.set_codebooks(static_cast<uint32_t>(model.codebook_sizes.size()));
  info.set_vocabulary_size(static_cast<uint32_t>(model.vocabulary_size));
  info.set_max_positions(static_cast<uint32_t>(model.max_positions));
  info.set_image_side(static_cast<uint32_t>(model.image_side));
  info.set_image_grid(static_cast<uint32_t>(model.image_grid));
  info.set_tells_words(model.tells_words);
  info.set_calls_functions(model.calls_functions);
  info.set_max_instruction_pieces(static_cast<uint32_t>(model.max_instruction_pieces));
  for (const SpeechVoice voice : {SpeechVoice::kOwn, SpeechVoice::kLow}) {
    if (voice == SpeechVoice::kOwn || model.manners) info.add_voices(NameOf(voice));
  }
  for (const SpeechSpeed speed : {SpeechSpeed::kSlow, SpeechSpeed::kNormal, SpeechSpeed::kFast}) {
    if (speed == SpeechSpeed::kNormal || model.manners) info.add_speeds(ToMessage(speed));
  }
  return info;
}

}  // namespace antiphon
