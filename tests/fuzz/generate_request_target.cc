#include <string>
#include <utility>

#include "conversation/generation.h"
#include "server/messages.h"
#include "tests/fuzz/targets.h"

namespace antiphon::fuzz {

void ReadGenerateRequest(std::string_view bytes) {
  v1::GenerateRequest message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  ModelDescription model;
  model.sample_rate = 16'000;
  model.frame_samples = 1280;
  const auto script =
      ScriptOf(FromMessage(std::move(message)), model, std::chrono::milliseconds(2000), TimePoint{});
  if (!script.ok()) return Promise(script.status().message().starts_with("parts"));
  Promise(script->size() >= 3);
  Promise(std::holds_alternative<client_event::SessionUpdate>(script->front().event));
  Promise(std::holds_alternative<client_event::Commit>(script->back().event));
  size_t audio_bytes = 0;
  for (const ClientEvent& event : *script) {
    Promise(event.event_id.size() <= 64);
    const auto* append = std::get_if<client_event::AudioAppend>(&event.event);
    if (append == nullptr) continue;
    Promise(!append->audio.empty() && append->audio.size() <= 64'000);
    audio_bytes += append->audio.size();
  }
  Promise(audio_bytes % 2560 == 0);
  // 2 s, and behind each of the parts less than the silence and a frame.
  Promise(audio_bytes <= 64'000 + 64 * (7680 + 2560));
}

}  // namespace antiphon::fuzz
