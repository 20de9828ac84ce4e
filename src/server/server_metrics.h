// What a server counts, all in one registry of its own.
#pragma once

#include <prometheus/registry.h>

#include <memory>

#include "server/session_metrics.h"
#include "server/turn_metrics.h"

namespace antiphon {

struct ServerMetrics {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  SessionMetrics sessions{*registry};
  TurnMetrics turns{*registry};
};

}  // namespace antiphon
