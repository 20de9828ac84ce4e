// What turns and responses amount to, for Prometheus. docs/metrics.md says what each metric means.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "conversation/server_event.h"
#include "server/session_kind.h"

namespace antiphon {

// Counts what sessions tell their clients. The parts of a turn's latency are differences of its ledger
// (LatencyLedger of the wire contract). Thread-safe.
class TurnMetrics {
 public:
  // Registers its metrics; `registry` outlives them.
  explicit TurnMetrics(prometheus::Registry& registry);

  // A session of this kind sends the event.
  void Observe(SessionKind kind, const ServerEvent& event);

 private:
  using Counters = prometheus::Family<prometheus::Counter>;
  using Histograms = prometheus::Family<prometheus::Histogram>;

  void Count(SessionKind kind, const server_event::TurnEnded& ended);
  void Count(SessionKind kind, const server_event::ResponseDone& done);
  void Count(SessionKind kind, const server_event::Error& error);
  void Count(const server_event::PlaybackPaused& paused);
  void Count(const server_event::PlaybackResumed& resumed);
  void Count(const server_event::ResponseInterrupted& interrupted);
  void CountUsage(const server_event::Usage& usage);
  void CountLatency(const server_event::ResponseDone& done);

  // By kind of session and cause, kind of session and status, and code.
  Counters& turns_;
  Counters& responses_;
  Counters& errors_;

  prometheus::Counter& heard_frames_;
  prometheus::Counter& spoken_frames_;
  prometheus::Counter& video_frames_;
  prometheus::Counter& dropped_video_frames_;
  prometheus::Counter& underruns_;
  prometheus::Histogram& least_margin_;

  // By how the turn came in; of conversations only.
  Histograms& latency_;
  Histograms& endpointing_;
  Histograms& first_symbol_;
  Histograms& first_frame_;
  Histograms& first_packet_;
  Histograms& first_image_;

  // What voices do to answers.
  prometheus::Counter& pauses_;
  prometheus::Counter& resumed_;
  Counters& interrupted_;  // by what
  prometheus::Histogram& pause_time_;
  Histograms& decision_time_;  // by decision
};

}  // namespace antiphon
