// A response as the user hears it, while it is made and after.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "antiphon/types.h"
#include "common/clock.h"
#include "conversation/playback_meter.h"
#include "conversation/session_config.h"

namespace antiphon {

// Frames of the model that are made beyond what may be sent: one may still be in resampler and encoder, and
// one ready to go.
constexpr int kFramesInHand = 2;

// Outlives the making of the response: what was sent is still being played when the last of it was made. Not
// thread-safe.
class ResponsePlayback {
 public:
  // Settings are taken over for the whole response. `not_before`: until then what was sent before it is
  // played.
  ResponsePlayback(std::string response_id, const SessionConfig& config, const ModelDescription& model,
                   TimePoint not_before = {});

  PlaybackMeter& meter() { return meter_; }
  const PlaybackMeter& meter() const { return meter_; }
  const std::string& response_id() const { return response_id_; }

  // What was sent has not all been played, and will be.
  bool AudibleAt(TimePoint now) const { return !cut_ && meter_.Played(now) < meter_.sent(); }
  // How long it will be played on.
  Nanoseconds TimeLeft(TimePoint now) const;
  // Where in its speech the loudspeaker was at `then`, before now: negative before it began; nullopt while it
  // is silent and not known to begin.
  std::optional<Nanoseconds> PositionAt(TimePoint then, TimePoint now) const;
  // How many of the model's frames have been played to their end.
  int FramesPlayed(TimePoint now) const;
  // How many more are to be made for all that may be sent by now, and some for the time after, when `waiting`
  // samples have been made besides those sent.
  int FramesMissing(TimePoint now, std::chrono::milliseconds max_lead, uint64_t waiting) const;

  // A voice of the user may interrupt it.
  bool interruptible() const { return interruptible_ && !cut_; }
  // It is made with a voice, and so the ear is open meanwhile: to what the user says into it.
  bool overheard() const { return interruptible_; }

  // No more of it will be played.
  void Cut(TimePoint now);
  // Samples that had been played then. REQUIRES: Cut was called.
  uint64_t cut_at() const { return cut_at_; }

 private:
  const std::string response_id_;
  const int rate_;              // of the output
  const double frame_samples_;  // at the output rate
  const bool interruptible_;
  PlaybackMeter meter_;
  bool cut_ = false;
  uint64_t cut_at_ = 0;
};

}  // namespace antiphon
