// Who came in, who was turned away and how sessions ended, for Prometheus. docs/metrics.md says what each
// metric means.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "antiphon/status.h"
#include "common/clock.h"
#include "server/session_kind.h"

namespace antiphon {

// Thread-safe.
class SessionMetrics {
 public:
  // Registers its metrics; `registry` outlives them.
  explicit SessionMetrics(prometheus::Registry& registry);

  // Instead of Opened.
  void Refused(SessionKind kind, StatusCode code);
  void Opened(SessionKind kind);
  // Once for each Opened, when the session has let go of its sequence: what its call is ended with.
  void Ended(SessionKind kind, StatusCode code, Nanoseconds duration);

  // A conversation's stream broke and it is kept; DetachedEnded when that is over, and Expired before it if
  // nobody came for it.
  void Detached();
  void DetachedEnded();
  void Expired();
  // A stream goes on with a conversation, detached or taken over.
  void Resumed();

 private:
  prometheus::Family<prometheus::Counter>& refused_;
  prometheus::Family<prometheus::Counter>& opened_;
  prometheus::Family<prometheus::Counter>& ended_;
  prometheus::Family<prometheus::Gauge>& open_;
  prometheus::Family<prometheus::Histogram>& duration_;
  prometheus::Gauge& detached_now_;
  prometheus::Counter& detached_;
  prometheus::Counter& expired_;
  prometheus::Counter& resumed_;
};

}  // namespace antiphon
