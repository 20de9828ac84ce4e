#include "conversation/turn_ledger.h"

#include <algorithm>
#include <chrono>

namespace antiphon {

// At least 1, because 0 says that the moment never came.
uint64_t TurnLedger::Since(TimePoint moment) const {
  const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(moment - created_).count();
  return static_cast<uint64_t>(std::max<int64_t>(elapsed, 1));
}

void TurnLedger::Note(TimePoint moment, uint64_t* field) const {
  if (*field == 0) *field = Since(moment);
}

void TurnLedger::Committed(TimePoint received) { Note(received, &moments_.last_speech_received_us); }

server_event::LatencyLedger TurnLedger::Report(const PlaybackMeter& playback) const {
  server_event::LatencyLedger report = moments_;
  report.least_margin_ms = playback.least_margin_ms();
  report.underruns = playback.underruns();
  return report;
}

}  // namespace antiphon
