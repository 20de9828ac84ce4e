// Bytes of AudioAppend to samples.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "antiphon/status.h"
#include "conversation/session_config.h"
#include "media/opus.h"

namespace antiphon {

// Decodes one stream of pieces and counts its samples. Not thread-safe.
class InputDecoder {
 public:
  static constexpr int kMaxSeconds = 2;  // of one piece

  // As configuration allows it; otherwise the error of the Opus decoder.
  Status SetFormat(const AudioFormat& format);

  // Mono samples at the format's rate. INVALID_ARGUMENT for a piece that is empty, too long or broken, which
  // then counts for nothing.
  Result<std::vector<float>> Decode(std::string_view bytes);

  const AudioFormat& format() const { return format_; }
  // Samples so far. A change of the rate converts it, so that it goes on to tell the time.
  uint64_t samples() const { return samples_; }

 private:
  AudioFormat format_;
  std::optional<OpusPacketDecoder> opus_;  // of an Opus format
  uint64_t samples_ = 0;
};

}  // namespace antiphon
