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
      playback_(playback),
      pacer_(playback, format_.sample_rate) {}

Response::State Response::Save() const {
  State state{.text = text_,
              .frames = frames_,
              .output = std::nullopt,
              .waiting = {pacer_.waiting().begin(), pacer_.waiting().end()},
              .images = images_.Save()};
  if (output_) state.output = output_->Save();
  return state;
}

Status Response::Restore(State state) {
  text_ = std::move(state.text);
  frames_ = state.frames;
  pacer_.Push(std::move(state.waiting));
  images_.Restore(state.images);
  if (!state.output) return OkStatus();
  if (Status status = MakeOutput(); !status.ok()) return status;
  return output_->Restore(*state.output);
}

Status Response::MakeOutput() {
  if (output_) return OkStatus();
  auto output = SpeechOutput::Create(model_rate_, format_);
  if (!output.ok()) return output.status();
  output_ = std::move(*output);
  return OkStatus();
}

void Response::OnText(const ResponseText& text) {
  ledger_.Symbol(text.at);
  text_ += text.text;
  sink_.Send(server_event::TextDelta{id_, text.text});
  if (!speak_) ledger_.PacketSent(clock_.Now());
}

Status Response::OnAudio(const ResponseAudio& audio) {
  ledger_.Frame(audio.at);
  ++frames_;
  if (Status status = MakeOutput(); !status.ok()) return status;
  return Keep(output_->Push(audio.samples));
}

void Response::OnImage(const ResponseImage& image) {
  if (draw_) images_.OnImage(image);
}

Status Response::Paint() { return images_.PaintNext(); }

Status Response::Flush(std::chrono::milliseconds max_lead) {
  Status status = output_ ? Keep(output_->Finish()) : OkStatus();
  // First: it may be heard while the pictures are painted.
  SendDue(max_lead);
  if (status.ok()) status = images_.Flush();
  if (!status.ok()) images_.Drop();  // what cannot be painted is not tried again
  return status;
}

void Response::CutShort() {
  pacer_.Drop();
  images_.Drop();
}

Status Response::Keep(Result<std::vector<OutputPacket>> packets) {
  if (!packets.ok()) return packets.status();
  pacer_.Push(*std::move(packets));
  return OkStatus();
}

void Response::SendDue(std::chrono::milliseconds max_lead) {
  const TimePoint now = clock_.Now();
  uint64_t samples = 0;
  for (OutputPacket& packet : pacer_.PopDue(now, max_lead)) {
    sink_.Send(
        server_event::AudioDelta{id_, std::move(packet.bytes), playback_.sent() + samples, packet.number});
    samples += packet.samples;
  }
  if (samples == 0) return;
  ledger_.PacketSent(now);
  playback_.OnSend(now, samples);
}

}  // namespace antiphon
