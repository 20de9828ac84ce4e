#include "conversation/response.h"

#include <utility>

namespace antiphon {

Response::Response(std::string id, const SessionConfig& config, int model_rate, const Clock& clock,
                   EventSink& sink, TurnLedger& ledger)
    : id_(std::move(id)),
      speak_(config.speak),
      format_(config.output),
      model_rate_(model_rate),
      clock_(clock),
      sink_(sink),
      ledger_(ledger),
      playback_(config.output.sample_rate) {}

void Response::OnText(const ResponseText& text) {
  ledger_.Symbol(text.at);
  text_ += text.text;
  sink_.Send(server_event::TextDelta{id_, text.text});
  if (!speak_) ledger_.PacketSent(clock_.Now());
}

Status Response::OnAudio(const ResponseAudio& audio) {
  ledger_.Frame(audio.at);
  if (!output_) {
    auto output = SpeechOutput::Create(model_rate_, format_);
    if (!output.ok()) return output.status();
    output_ = std::move(*output);
  }
  return Send(output_->Push(audio.samples));
}

Status Response::Flush() { return output_ ? Send(output_->Finish()) : OkStatus(); }

Status Response::Send(Result<std::vector<OutputPacket>> packets) {
  if (!packets.ok()) return packets.status();
  uint64_t samples = 0;
  for (OutputPacket& packet : *packets) {
    sink_.Send(server_event::AudioDelta{id_, std::move(packet.bytes), playback_.sent() + samples});
    samples += packet.samples;
  }
  if (samples > 0) {
    const TimePoint now = clock_.Now();
    ledger_.PacketSent(now);
    playback_.OnSend(now, samples);
  }
  return OkStatus();
}

}  // namespace antiphon
