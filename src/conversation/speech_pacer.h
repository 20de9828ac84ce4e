// Keeps a response's speech from running further ahead of its playback than it should.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

#include "antiphon/types.h"
#include "conversation/playback_meter.h"
#include "conversation/speech_output.h"

namespace antiphon {

// Packets that may not be sent yet, in order. One may when no more than `max_lead` is then ahead of the
// playback, which has to be at least twice as long as a packet (less counts as that); none while the playback
// is paused. Not thread-safe.
class SpeechPacer {
 public:
  // `playback` is told elsewhere of what is sent, and outlives the pacer. Positions are samples at its rate.
  SpeechPacer(const PlaybackMeter& playback, int sample_rate) : playback_(playback), rate_(sample_rate) {}

  void Push(std::vector<OutputPacket> packets);
  // Those that may be sent by now.
  std::vector<OutputPacket> PopDue(TimePoint now, std::chrono::milliseconds max_lead);
  // When the next one may, as far as that is known: TimePoint::max() if it is not, or if none waits.
  TimePoint NextDue(std::chrono::milliseconds max_lead) const { return DueAt(0, max_lead); }

  const std::deque<OutputPacket>& waiting() const { return waiting_; }
  bool empty() const { return waiting_.empty(); }
  uint64_t samples() const { return samples_; }  // that wait
  void Drop();

 private:
  // When the first that waits may be sent, `ahead` samples behind what was sent.
  TimePoint DueAt(uint64_t ahead, std::chrono::milliseconds max_lead) const;

  const PlaybackMeter& playback_;
  const int rate_;
  std::deque<OutputPacket> waiting_;
  uint64_t samples_ = 0;  // in them
};

}  // namespace antiphon
