// One response on its way to the client.
#pragma once

#include <memory>
#include <string>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "conversation/image_output.h"
#include "conversation/playback_meter.h"
#include "conversation/server_event.h"
#include "conversation/session_config.h"
#include "conversation/speech_output.h"
#include "conversation/turn_ledger.h"

namespace antiphon {

// Turns the engine's text, frames and pictures into deltas, and keeps the response's accounts. Not
// thread-safe.
class Response {
 public:
  // All references are to what outlives the response, but for `config`: settings are taken over for its whole
  // length. `playback` is told of all that is sent.
  Response(std::string id, const SessionConfig& config, const ModelDescription& model,
           const ImagePainter& painter, const Clock& clock, EventSink& sink, TurnLedger& ledger,
           PlaybackMeter& playback);

  void OnText(const ResponseText& text);
  // INTERNAL when the encoder fails.
  Status OnAudio(const ResponseAudio& audio);
  void OnImage(const ResponseImage& image);

  // Of what is drawn, something is still to be painted.
  bool wants_to_paint() const { return images_.waiting(); }
  // Paints and sends one picture, some 15 ms of work. INTERNAL when the painter fails.
  // REQUIRES: wants_to_paint().
  Status Paint();

  // Sends what is still in the resampler, in the encoder and to be painted. Only for a response that was not
  // cut short.
  Status Flush();
  // For one that was: forgets what is to be painted.
  void CutShort() { images_.Drop(); }

  const std::string& id() const { return id_; }
  const std::string& text() const { return text_; }

 private:
  Status Send(Result<std::vector<OutputPacket>> packets);

  const std::string id_;
  const bool speak_;
  const bool draw_;
  const AudioFormat format_;
  const int model_rate_;
  const Clock& clock_;
  EventSink& sink_;
  TurnLedger& ledger_;

  std::string text_;
  std::unique_ptr<SpeechOutput> output_;  // from the first frame on
  ImageOutput images_;
  PlaybackMeter& playback_;
};

}  // namespace antiphon
