// One response on its way to the client.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "conversation/image_output.h"
#include "conversation/playback_meter.h"
#include "conversation/server_event.h"
#include "conversation/session_config.h"
#include "conversation/speech_output.h"
#include "conversation/speech_pacer.h"
#include "conversation/turn_ledger.h"

namespace antiphon {

// Turns the engine's text, frames and pictures into deltas, and keeps the response's accounts. Speech waits
// for SendDue. Not thread-safe.
class Response {
 public:
  // All references are to what outlives the response, but for `config`: settings are taken over for its whole
  // length. `playback` is told of all that is sent.
  Response(std::string id, const SessionConfig& config, const ModelDescription& model,
           const ImagePainter& painter, const Clock& clock, EventSink& sink, TurnLedger& ledger,
           PlaybackMeter& playback);

  // What it goes on from, in another process too. What was sent is the playback's to know.
  struct State {
    std::string text;
    int frames = 0;
    std::optional<SpeechOutput::State> output;
    std::vector<OutputPacket> waiting;
    ImageOutput::State images;
  };
  State Save() const;
  // REQUIRES: nothing has come yet. The encoder's error.
  Status Restore(State state);

  void OnText(const ResponseText& text);
  // Makes deltas of it. INTERNAL when the encoder fails.
  Status OnAudio(const ResponseAudio& audio);
  void OnImage(const ResponseImage& image);

  // Of what is drawn, something is still to be painted.
  bool wants_to_paint() const { return images_.waiting(); }
  // Paints and sends one picture, some 15 ms of work. INTERNAL when the painter fails.
  // REQUIRES: wants_to_paint().
  Status Paint();

  // Sends of the speech what may be `max_lead` ahead of its playback.
  void SendDue(std::chrono::milliseconds max_lead);
  // When more of it may be sent: see SpeechPacer.
  TimePoint NextDue(std::chrono::milliseconds max_lead) const { return pacer_.NextDue(max_lead); }
  bool speech_waits() const { return !pacer_.empty(); }
  uint64_t waiting_samples() const { return pacer_.samples(); }
  // Of the speech, made so far.
  int frames() const { return frames_; }

  // Makes deltas of what is still in the resampler and in the encoder, and sends the speech that is due and
  // what is to be painted. Only for a response that was not cut short. INTERNAL when encoder or painter fail:
  // no more pictures are sent then.
  Status Flush(std::chrono::milliseconds max_lead);
  // For one that was: forgets what is to be sent and painted.
  void CutShort();

  const std::string& id() const { return id_; }
  const std::string& text() const { return text_; }

 private:
  Status MakeOutput();
  Status Keep(Result<std::vector<OutputPacket>> packets);

  const std::string id_;
  const bool speak_;
  const bool draw_;
  const AudioFormat format_;
  const int model_rate_;
  const Clock& clock_;
  EventSink& sink_;
  TurnLedger& ledger_;

  std::string text_;
  int frames_ = 0;
  std::unique_ptr<SpeechOutput> output_;  // from the first frame on
  ImageOutput images_;
  PlaybackMeter& playback_;
  SpeechPacer pacer_;
};

}  // namespace antiphon
