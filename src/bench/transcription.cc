#include "bench/transcription.h"

#include <variant>

namespace antiphon::bench {

Status AddTo(const client::Event& event, Transcription* told) {
  if (const auto* turn = std::get_if<client::TurnEnded>(&event.body)) {
    told->transcripts += turn->transcript + "\n";
  } else if (const auto* text = std::get_if<client::TextDelta>(&event.body)) {
    told->text[text->response_id] += text->text;
  } else if (const auto* audio = std::get_if<client::AudioDelta>(&event.body)) {
    std::vector<float>& all = told->audio[audio->response_id];
    if (audio->first_sample != all.size()) return DataLoss("audio is missing, or came twice");
    all.insert(all.end(), audio->samples.begin(), audio->samples.end());
  } else if (const auto* done = std::get_if<client::ResponseDone>(&event.body)) {
    told->ends += done->response_id + " " + std::to_string(static_cast<int>(done->end)) + " " + done->text +
                  " " + std::to_string(done->usage.heard_frames) + "\n";
  } else if (const auto* error = std::get_if<client::ServerError>(&event.body)) {
    return error->status;
  }
  return OkStatus();
}

client::ConversationOptions RepeatableConversation() {
  client::ConversationOptions options;
  options.settings.speak = true;
  // What is asked behind an answer is not to depend on how long that is played.
  options.settings.interruption = client::Interruption{.policy = client::Interruption::Policy::kOff};
  options.settings.turn_detection = client::TurnDetection{.mode = client::TurnDetectionMode::kNone};
  return options;
}

}  // namespace antiphon::bench
