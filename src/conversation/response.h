// One response on its way to the client.
#pragma once

#include <memory>
#include <string>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "conversation/playback_meter.h"
#include "conversation/server_event.h"
#include "conversation/session_config.h"
#include "conversation/speech_output.h"
#include "conversation/turn_ledger.h"

namespace antiphon {

// Turns the engine's text and frames into deltas, and keeps the response's accounts. Not thread-safe.
class Response {
 public:
  // `clock`, `sink` and `ledger` outlive the response. Settings are taken over for its whole length.
  Response(std::string id, const SessionConfig& config, int model_rate, const Clock& clock, EventSink& sink,
           TurnLedger& ledger);

  void OnText(const ResponseText& text);
  // INTERNAL when the encoder fails.
  Status OnAudio(const ResponseAudio& audio);
  // Sends what is still in the resampler and the encoder. Only for a response that was not cut short.
  Status Flush();
  void OnPlayback(TimePoint received, uint64_t played_samples) {
    playback_.OnReport(received, played_samples);
  }

  const std::string& id() const { return id_; }
  const std::string& text() const { return text_; }
  const PlaybackMeter& playback() const { return playback_; }

 private:
  Status Send(Result<std::vector<OutputPacket>> packets);

  const std::string id_;
  const bool speak_;
  const AudioFormat format_;
  const int model_rate_;
  const Clock& clock_;
  EventSink& sink_;
  TurnLedger& ledger_;

  std::string text_;
  std::unique_ptr<SpeechOutput> output_;  // from the first frame on
  PlaybackMeter playback_;
};

}  // namespace antiphon
