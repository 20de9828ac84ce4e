#include "conversation/response.h"

#include <utility>

namespace antiphon {

Response::Response(std::string id, const SessionConfig& config, const ModelDescription& model,
                   const ImagePainter& painter, const Clock& clock, EventSink& sink, TurnLedger& ledger,
                   PlaybackMeter& playback)
    : id_(std::move(id)),
      speak_(config.speak),
      draw_(config.draw),
      format_(config.output),
      model_rate_(model.sample_rate),
      clock_(clock),
      sink_(sink),
      ledger_(ledger),
      images_(id_, model, painter, clock, sink, ledger),
      playback_(playback) {}

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

void Response::OnImage(const ResponseImage& image) {
  if (draw_) images_.OnImage(image);
}

Status Response::Paint() { return images_.PaintNext(); }

Status Response::Flush() {
  if (output_) {
    // First: it may be heard while the pictures are painted.
    if (Status status = Send(output_->Finish()); !status.ok()) return status;
  }
  return images_.Flush();
}

Status Response::Send(Result<std::vector<OutputPacket>> packets) {
  if (!packets.ok()) return packets.status();
  uint64_t samples = 0;
  for (OutputPacket& packet : *packets) {
    sink_.Send(
        server_event::AudioDelta{id_, std::move(packet.bytes), playback_.sent() + samples, packet.number});
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
