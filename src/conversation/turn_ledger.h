// The timeline of one turn, kept as it happens.
#pragma once

#include "antiphon/types.h"
#include "conversation/playback_meter.h"
#include "conversation/server_event.h"

namespace antiphon {

// Collects the moments of the latency ledger; the wire contract defines each. A moment counts the first time
// it is noted in a turn, but the end of the user's speech, which is known only afterwards, by the last.
// Moments of the user's turn come before Answer, those of the response after it. Not thread-safe.
class TurnLedger {
 public:
  // Times are told as microseconds since `session_created`.
  explicit TurnLedger(TimePoint session_created) : created_(session_created) {}

  // ---- The user's turn.
  void Reset() { moments_ = {}; }
  void LastSpeech(TimePoint received) { moments_.last_speech_received_us = Since(received); }
  void Committed(TimePoint received);  // counts as the end of speech in a turn without speech

  // ---- The response.
  void Endpoint(TimePoint at) { Note(at, &moments_.endpoint_decided_us); }
  void Symbol(TimePoint at) { Note(at, &moments_.first_symbol_us); }
  void Frame(TimePoint at) { Note(at, &moments_.first_frame_us); }
  void PacketSent(TimePoint at) { Note(at, &moments_.first_packet_sent_us); }
  void ImageSent(TimePoint at) { Note(at, &moments_.first_image_us); }

  // Goes on from these moments of a session that was created then: it went on elsewhere until now.
  void Restore(TimePoint session_created, const server_event::LatencyLedger& moments) {
    created_ = session_created;
    moments_ = moments;
  }
  const server_event::LatencyLedger& moments() const { return moments_; }
  TimePoint session_created() const { return created_; }

  // The moments so far, with the margins that `playback` counted.
  server_event::LatencyLedger Report(const PlaybackMeter& playback) const;

 private:
  uint64_t Since(TimePoint moment) const;
  void Note(TimePoint moment, uint64_t* field) const;

  TimePoint created_;
  server_event::LatencyLedger moments_;
};

}  // namespace antiphon
