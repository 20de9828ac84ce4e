#include "client/command_line.h"

#include <fmt/format.h>

namespace antiphon::client {

AudioFormat FormatFor(bool opus, int sample_rate) {
  if (sample_rate == 0) sample_rate = opus ? 24000 : 16000;
  return {opus ? AudioEncoding::kOpus : AudioEncoding::kPcm16, sample_rate};
}

Status WithRetryHint(const Status& status, std::optional<std::chrono::milliseconds> retry_after) {
  if (!retry_after) return status;
  return {status.code(), fmt::format("{} (try again in {} ms)", status.message(), retry_after->count())};
}

}  // namespace antiphon::client
