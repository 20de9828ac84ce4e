// How far ahead of the user's loudspeaker a response is.
#pragma once

#include <cstdint>

#include "antiphon/types.h"
#include "common/clock.h"

namespace antiphon {

// The margin of one response: audio sent and not yet due. Playback is taken to start when the first piece is
// sent and to run on without a break; the client's own reports correct that. When a piece is sent and the
// margin had reached zero, the user heard a gap: an underrun, after which playback goes on from that piece.
// Positions are samples at the output rate. Not thread-safe.
class PlaybackMeter {
 public:
  // `delay`: how long the client holds back the first piece before it plays it, which is not before
  // `not_before`: when it has played what was sent before it.
  explicit PlaybackMeter(int sample_rate, Nanoseconds delay = Nanoseconds{0}, TimePoint not_before = {})
      : rate_(sample_rate), delay_(delay), not_before_(not_before) {}

  // Where it stands, apart from the clock.
  struct State {
    uint64_t sent = 0;
    uint64_t reported = 0;
    uint64_t played = 0;
    bool measured = false;
    uint64_t least_margin = 0;  // samples
    int underruns = 0;
  };
  State Save(TimePoint now) const {
    return {sent_, reported_, Played(now), measured_, least_margin_, underruns_};
  }
  // Stands there, and runs on from now.
  void Restore(TimePoint now, const State& state);

  // `samples` more are handed to the transport. Audio that leaves together counts as one piece.
  void OnSend(TimePoint now, uint64_t samples);

  // The client says where its loudspeaker is. Clamped to what was reported before and what was sent.
  void OnReport(TimePoint now, uint64_t played);

  // The client was told to stop where it is, and to go on from there. Nothing is an underrun in between.
  void Pause(TimePoint now);
  void Resume(TimePoint now);

  // Where playback is by now; at most sent().
  uint64_t Played(TimePoint now) const;
  // When it is there, or was; TimePoint{} for the beginning, TimePoint::max() for what is not known: while it
  // is paused, and beyond sent().
  TimePoint PlayedAt(uint64_t position) const;
  // When the first sample was or will be played, had there been no break up to where playback is by now.
  // REQUIRES: sent() > 0.
  TimePoint BeganAt(TimePoint now) const;

  bool paused() const { return paused_; }

  uint64_t sent() const { return sent_; }
  // Least margin at any sending but the first, in whole ms; 0 while nothing or one piece was sent.
  int least_margin_ms() const;
  int underruns() const { return underruns_; }

 private:
  const int rate_;
  const Nanoseconds delay_;
  const TimePoint not_before_;
  bool paused_ = false;        // at anchor_position_
  Nanoseconds delay_left_{0};  // while paused: before playback goes on
  uint64_t sent_ = 0;
  uint64_t reported_ = 0;
  // Playback was at anchor_position_ at anchor_time_ and has run on since.
  TimePoint anchor_time_;
  uint64_t anchor_position_ = 0;
  bool measured_ = false;
  uint64_t least_margin_ = 0;  // samples
  int underruns_ = 0;
};

}  // namespace antiphon
