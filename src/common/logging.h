// The log: one line an event on standard error, with time, level and thread.
//
//   LogInfo("session {} closed after {} ms", id, elapsed);
//
// Formats are std::format-like and checked when compiled; arguments are formatted only if the level is on.
// The library behind it stays behind this header.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

#include "antiphon/status.h"

namespace antiphon {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// All functions here may be called from any thread. The level is kInfo until set.
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);
// "debug", "info", "warning", "error" or "off"; INVALID_ARGUMENT otherwise.
Result<LogLevel> ParseLogLevel(std::string_view name);

// Writes `message` if `level` is on. Newlines and other control characters are escaped: what a client sent
// cannot forge a line.
void LogMessage(LogLevel level, std::string_view message);

template <typename... Args>
void LogAt(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (LogEnabled(level)) LogMessage(level, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogWarning(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kWarning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  LogAt(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace antiphon
