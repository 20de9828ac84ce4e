// What a running server says of itself, and what it costs the machine.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "antiphon/status.h"

namespace antiphon::bench {

// The body that `host_port` answers `GET /metrics` with. UNAVAILABLE when it does not within five seconds, or
// says more than 4 MiB.
Result<std::string> FetchMetrics(const std::string& host_port);

// The value of a series in Prometheus' text format, written as it is there; nothing when it is not there.
std::optional<double> MetricValue(const std::string& text, const std::string& series);

// Seconds of CPU that a process has used, in all threads; 0 when there is no such process.
double CpuSeconds(pid_t pid);

// A reading of both, for differences.
struct ServerAccount {
  double steps = 0;
  double positions = 0;
  double step_seconds = 0;
  double predicted_seconds = 0;
  double prediction_error_seconds = 0;
  double timed_frames = 0;
  double deadline_misses = 0;
  double underruns = 0;
  double cpu_seconds = 0;

  friend ServerAccount operator-(ServerAccount later, const ServerAccount& earlier);
};

// `pid` 0: its CPU is not known. Errors of FetchMetrics.
Result<ServerAccount> ReadAccount(const std::string& metrics_address, pid_t pid);

}  // namespace antiphon::bench
