#include "client/command_line.h"

#include <fmt/format.h>

namespace antiphon::client {
namespace {

int UsualRate(AudioEncoding encoding) {
  if (encoding == AudioEncoding::kPcm16) return 16000;
  return encoding == AudioEncoding::kOpus ? 24000 : 8000;
}

}  // namespace

AudioFormat FormatFor(const FormatOptions& options) {
  const int rate = options.sample_rate == 0 ? UsualRate(options.encoding) : options.sample_rate;
  return {options.encoding, rate, options.expected_loss_percent};
}

Status WithRetryHint(const Status& status, std::optional<std::chrono::milliseconds> retry_after) {
  if (!retry_after) return status;
  return {status.code(), fmt::format("{} (try again in {} ms)", status.message(), retry_after->count())};
}

}  // namespace antiphon::client
