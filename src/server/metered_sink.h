// Counts what a session tells its client.
#pragma once

#include <string>
#include <utility>

#include "conversation/server_event.h"
#include "server/session_kind.h"
#include "server/turn_metrics.h"

namespace antiphon {

// Stands before another sink. Thread rule: as EventSink.
class MeteredSink final : public EventSink {
 public:
  // `metrics` and `next` outlive it.
  MeteredSink(SessionKind kind, TurnMetrics& metrics, EventSink& next)
      : kind_(kind), metrics_(metrics), next_(next) {}

  // Counted first: who has read the event finds it counted.
  void Send(ServerEvent event) override {
    metrics_.Observe(kind_, event);
    next_.Send(std::move(event));
  }
  void DropMedia(const std::string& response_id) override { next_.DropMedia(response_id); }

 private:
  const SessionKind kind_;
  TurnMetrics& metrics_;
  EventSink& next_;
};

}  // namespace antiphon
