#include <utility>

#include "server/messages.h"

namespace antiphon {
namespace {

AudioFormatUpdate From(const v1::AudioFormat& format) {
  return {static_cast<int>(format.encoding()), format.sample_rate()};
}

ConfigUpdate From(const v1::SessionConfig& config) {
  ConfigUpdate update;
  update.output_modalities.assign(config.output_modalities().begin(), config.output_modalities().end());
  if (config.has_input_audio()) update.input_audio = From(config.input_audio());
  if (config.has_output_audio()) update.output_audio = From(config.output_audio());
  if (config.has_turn_detection()) {
    const v1::TurnDetection& detection = config.turn_detection();
    update.turn_detection = {static_cast<int>(detection.mode()), detection.threshold(),
                             detection.max_silence_ms()};
  }
  if (config.has_sampling()) {
    const v1::Sampling& sampling = config.sampling();
    update.sampling = {sampling.temperature(), sampling.top_k(), sampling.top_p(),
                       sampling.repetition_penalty(), sampling.seed()};
  }
  update.max_response_seconds = config.max_response_seconds();
  return update;
}

}  // namespace

ClientEvent FromMessage(v1::ClientEvent message, TimePoint received) {
  ClientEvent event{std::move(*message.mutable_event_id()), received, {}};
  switch (message.event_case()) {
    case v1::ClientEvent::kSessionUpdate:
      event.event = client_event::SessionUpdate{From(message.session_update().config())};
      break;
    case v1::ClientEvent::kAudioAppend:
      event.event = client_event::AudioAppend{std::move(*message.mutable_audio_append()->mutable_audio())};
      break;
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
    case v1::ClientEvent::kCommit:
      event.event = client_event::Commit{};
      break;
    case v1::ClientEvent::kClear:
      event.event = client_event::Clear{};
      break;
    case v1::ClientEvent::kCancel:
      event.event = client_event::Cancel{};
      break;
    case v1::ClientEvent::kPlaybackPosition: {
      v1::PlaybackPosition* position = message.mutable_playback_position();
      event.event = client_event::PlaybackPosition{std::move(*position->mutable_response_id()),
                                                   position->played_samples()};
      break;
    }
    case v1::ClientEvent::EVENT_NOT_SET:
      break;  // stays Unknown
  }
  return event;
}

}  // namespace antiphon
