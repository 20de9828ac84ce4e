#include "server/session_metrics.h"

#include <chrono>

#include "server/metric_labels.h"

namespace antiphon {
namespace {

// s: a Generate call may take a tenth of a second, a conversation half an hour.
const prometheus::Histogram::BucketBoundaries kDurations = {0.1, 0.3, 1,   3,   10,   30,   60,
                                                            120, 300, 600, 900, 1200, 1800, 3600};

prometheus::Labels Labels(SessionKind kind) { return {{"kind", LabelOf(kind)}}; }
prometheus::Labels Labels(SessionKind kind, StatusCode code) {
  return {{"kind", LabelOf(kind)}, {"code", LabelOf(code)}};
}

}  // namespace

SessionMetrics::SessionMetrics(prometheus::Registry& registry)
    : refused_(prometheus::BuildCounter()
                   .Name("antiphon_sessions_refused_total")
                   .Help("Calls that were turned away, by kind and gRPC code")
                   .Register(registry)),
      opened_(prometheus::BuildCounter()
                  .Name("antiphon_sessions_opened_total")
                  .Help("Sessions that were let in, by kind")
                  .Register(registry)),
      ended_(prometheus::BuildCounter()
                 .Name("antiphon_sessions_ended_total")
                 .Help("Sessions that are over, by kind and the gRPC code the server ended them with")
                 .Register(registry)),
      open_(prometheus::BuildGauge()
                .Name("antiphon_sessions_open")
                .Help("Sessions that hold a sequence of the engine, by kind")
                .Register(registry)),
      duration_(prometheus::BuildHistogram()
                    .Name("antiphon_session_duration_seconds")
                    .Help("How long sessions lasted, by kind")
                    .Register(registry)),
      detached_now_(prometheus::BuildGauge()
                        .Name("antiphon_sessions_detached")
                        .Help("Conversations that wait for a client that lost its connection")
                        .Register(registry)
                        .Add({})),
      detached_(prometheus::BuildCounter()
                    .Name("antiphon_sessions_detached_total")
                    .Help("Conversations that were kept when their stream broke")
                    .Register(registry)
                    .Add({})),
      expired_(prometheus::BuildCounter()
                   .Name("antiphon_sessions_expired_total")
                   .Help("Kept conversations that ended before their client came back")
                   .Register(registry)
                   .Add({})),
      resumed_(prometheus::BuildCounter()
                   .Name("antiphon_sessions_resumed_total")
                   .Help("Streams that went on with a conversation")
                   .Register(registry)
                   .Add({})) {
  // What was never counted is 0, not missing.
  for (const SessionKind kind : kSessionKinds) {
    refused_.Add(Labels(kind, StatusCode::kResourceExhausted));
    opened_.Add(Labels(kind));
    ended_.Add(Labels(kind, StatusCode::kOk));
    open_.Add(Labels(kind));
    duration_.Add(Labels(kind), kDurations);
  }
}

void SessionMetrics::Refused(SessionKind kind, StatusCode code) {
  refused_.Add(Labels(kind, code)).Increment();
}

void SessionMetrics::Opened(SessionKind kind) {
  opened_.Add(Labels(kind)).Increment();
  open_.Add(Labels(kind)).Increment();
}

void SessionMetrics::Ended(SessionKind kind, StatusCode code, Nanoseconds duration) {
  open_.Add(Labels(kind)).Decrement();
  ended_.Add(Labels(kind, code)).Increment();
  duration_.Add(Labels(kind), kDurations).Observe(std::chrono::duration<double>(duration).count());
}

void SessionMetrics::Detached() {
  detached_.Increment();
  detached_now_.Increment();
}

void SessionMetrics::DetachedEnded() { detached_now_.Decrement(); }

void SessionMetrics::Expired() { expired_.Increment(); }

void SessionMetrics::Resumed() { resumed_.Increment(); }

}  // namespace antiphon
