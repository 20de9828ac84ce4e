#include <utility>

#include "server/messages.h"

namespace antiphon {
namespace {

AudioFormatUpdate From(const v1::AudioFormat& format) {
  return {static_cast<int>(format.encoding()), format.sample_rate(), format.expected_loss_percent()};
}

SamplingUpdate From(const v1::Sampling& sampling) {
  return {sampling.temperature(), sampling.top_k(), sampling.top_p(), sampling.repetition_penalty(),
          sampling.seed()};
}

TurnDetectionUpdate From(const v1::TurnDetection& detection) {
  TurnDetectionUpdate update{.mode = static_cast<int>(detection.mode()),
                             .threshold = detection.threshold(),
                             .max_silence_ms = detection.max_silence_ms(),
                             .eagerness = static_cast<int>(detection.eagerness()),
                             .silence_duration_ms = detection.silence_duration_ms()};
  if (detection.has_prefix_padding_ms()) update.prefix_padding_ms = detection.prefix_padding_ms();
  if (detection.has_vad_threshold()) update.vad_threshold = detection.vad_threshold();
  return update;
}

std::vector<Function> From(const v1::Functions& functions) {
  std::vector<Function> list;
  for (const v1::Function& function : functions.functions()) {
    list.push_back({function.name(), function.description(), function.parameters()});
  }
  return list;
}

ConfigUpdate From(const v1::SessionConfig& config) {
  ConfigUpdate update;
  update.output_modalities.assign(config.output_modalities().begin(), config.output_modalities().end());
  if (config.has_input_audio()) update.input_audio = From(config.input_audio());
  if (config.has_output_audio()) update.output_audio = From(config.output_audio());
  if (config.has_turn_detection()) update.turn_detection = From(config.turn_detection());
  if (config.has_sampling()) update.sampling = From(config.sampling());
  update.max_response_seconds = config.max_response_seconds();
  update.max_video_frames = config.max_video_frames();
  update.voice = config.voice();
  update.speed = static_cast<int>(config.speed());
  if (config.has_interruption()) {
    update.interruption = {static_cast<int>(config.interruption().policy()),
                           config.interruption().min_voice_ms()};
  }
  if (config.has_playback_delay_ms()) update.playback_delay_ms = config.playback_delay_ms();
  update.max_lead_ms = config.max_lead_ms();
  if (config.has_speech_enhancement()) {
    update.speech_enhancement = {static_cast<int>(config.speech_enhancement().noise_suppression()),
                                 config.speech_enhancement().echo_cancellation()};
  }
  if (config.has_functions()) update.functions = From(config.functions());
  if (config.has_instructions()) update.instructions = config.instructions();
  return update;
}

Part From(v1::Part& part) {
  switch (part.content_case()) {
    case v1::Part::kText:
      return TextPart{std::move(*part.mutable_text())};
    case v1::Part::kAudio: {
      v1::AudioPart* audio = part.mutable_audio();
      return AudioPart{std::move(*audio->mutable_data()), std::move(*audio->mutable_media_type()),
                       audio->sample_rate()};
    }
    case v1::Part::kImage: {
      v1::ImagePart* image = part.mutable_image();
      return ImagePart{{std::move(*image->mutable_data()), std::move(*image->mutable_media_type()),
                        image->width(), image->height()}};
    }
    case v1::Part::CONTENT_NOT_SET:
      break;
  }
  return UnknownPart{};
}

}  // namespace

ClientEvent FromMessage(v1::ClientEvent message, TimePoint received) {
  ClientEvent event{std::move(*message.mutable_event_id()), received, {}};
  switch (message.event_case()) {
    case v1::ClientEvent::kSessionUpdate:
      event.event = client_event::SessionUpdate{From(message.session_update().config())};
      break;
    case v1::ClientEvent::kAudioAppend: {
      v1::AudioAppend* append = message.mutable_audio_append();
      client_event::AudioAppend audio{std::move(*append->mutable_audio())};
      if (append->has_packet_number()) audio.packet_number = append->packet_number();
      event.event = std::move(audio);
      break;
    }
    case v1::ClientEvent::kTextAppend:
      event.event = client_event::TextAppend{std::move(*message.mutable_text_append()->mutable_text())};
      break;
    case v1::ClientEvent::kImageAppend: {
      v1::ImageAppend* append = message.mutable_image_append();
      event.event = client_event::ImageAppend{std::move(*append->mutable_data()),
                                              std::move(*append->mutable_media_type()), append->width(),
                                              append->height()};
      break;
    }
    case v1::ClientEvent::kVideoFrame: {
      v1::VideoFrame* frame = message.mutable_video_frame();
      event.event = client_event::VideoFrame{{std::move(*frame->mutable_data()),
                                              std::move(*frame->mutable_media_type()), frame->width(),
                                              frame->height()}};
      break;
    }
    case v1::ClientEvent::kCommit:
      event.event = client_event::Commit{};
      break;
    case v1::ClientEvent::kClear:
      event.event = client_event::Clear{};
      break;
    case v1::ClientEvent::kCancel:
      event.event = client_event::Cancel{message.cancel().has_played_samples()
                                             ? std::optional(message.cancel().played_samples())
                                             : std::nullopt};
      break;
    case v1::ClientEvent::kPlaybackPosition: {
      v1::PlaybackPosition* position = message.mutable_playback_position();
      event.event = client_event::PlaybackPosition{std::move(*position->mutable_response_id()),
                                                   position->played_samples()};
      break;
    }
    case v1::ClientEvent::kExportSession:
      event.event = client_event::ExportSession{};
      break;
    case v1::ClientEvent::kImportSession:
      event.event =
          client_event::ImportSession{std::move(*message.mutable_import_session()->mutable_snapshot())};
      break;
    case v1::ClientEvent::kFunctionCallOutput: {
      v1::FunctionCallOutput* output = message.mutable_function_call_output();
      event.event = client_event::FunctionCallOutput{std::move(*output->mutable_call_id()),
                                                     std::move(*output->mutable_output()),
                                                     !output->has_respond() || output->respond()};
      break;
    }
    case v1::ClientEvent::kAcknowledge:
    case v1::ClientEvent::kResume:
    case v1::ClientEvent::kFinish:  // of the stream, not of the conversation
    case v1::ClientEvent::EVENT_NOT_SET:
      break;  // stays Unknown
  }
  return event;
}

GenerationRequest FromMessage(v1::GenerateRequest message) {
  GenerationRequest request;
  for (v1::Part& part : *message.mutable_parts()) request.parts.push_back(From(part));
  ConfigUpdate& config = request.config;
  config.output_modalities.assign(message.output_modalities().begin(), message.output_modalities().end());
  if (message.has_output_audio()) config.output_audio = From(message.output_audio());
  if (message.has_sampling()) config.sampling = From(message.sampling());
  config.max_response_seconds = message.max_response_seconds();
  config.voice = message.voice();
  config.speed = static_cast<int>(message.speed());
  if (!message.instructions().empty()) config.instructions = std::move(*message.mutable_instructions());
  return request;
}

}  // namespace antiphon
