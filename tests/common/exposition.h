// Prometheus' text format, as a test reads it.
#pragma once

#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>

namespace antiphon {

// The value of one series, as in `antiphon_turns_total{cause="commit",kind="conversation"}`: labels by name,
// `le` last. Nothing when it is not there.
inline std::optional<double> ValueOf(const std::string& text, const std::string& series) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, series.size() + 1, series + " ") == 0) {
      return std::strtod(line.c_str() + series.size(), nullptr);
    }
  }
  return std::nullopt;
}

}  // namespace antiphon
