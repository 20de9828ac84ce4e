// Bytes of AudioAppend to samples.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "antiphon/status.h"
#include "antiphon/types.h"
#include "conversation/session_config.h"
#include "media/opus_stream.h"

namespace antiphon {

// Decodes one stream of pieces and counts its samples. Numbered Opus packets may wait here for those before
// them (media/opus_stream.h); their samples count when they come out. Not thread-safe.
class InputDecoder {
 public:
  static constexpr int kMaxSeconds = 2;  // of one piece

  // As configuration allows it; otherwise the error of the Opus decoder. What waits is let go and lost,
  // though its samples count.
  Status SetFormat(const AudioFormat& format);

  // Mono samples at the format's rate of what is there to be heard now, in order: of the piece, and of what
  // came before and had to wait; or the mistake in a piece that is empty, too long or broken, or whose number
  // cannot be, which then counts for nothing. No wait counts before `ready`, when more could have been taken.
  using Decoded = std::vector<DecodedPacket>;
  std::variant<Decoded, Refusal> Decode(std::string_view bytes, std::optional<uint32_t> packet_number,
                                        TimePoint received, TimePoint ready);
  // What has waited too long for what is missing before it, and what waits at all.
  Decoded PopOverdue(TimePoint now, TimePoint ready);
  Decoded Flush();
  bool waiting() const { return opus_ && !opus_->empty(); }

  const AudioFormat& format() const { return format_; }
  // The next sample is this one: of a session that went on elsewhere until now. Call behind SetFormat.
  void StartAt(uint64_t samples) { samples_ = samples; }
  // Samples so far. A change of the rate converts it, so that it goes on to tell the time.
  uint64_t samples() const { return samples_; }
  // Of numbered packets, since the last call.
  PacketFates TakeFates();

 private:
  Result<Decoded> DecodePcm(std::string_view bytes, TimePoint received) const;
  Decoded Counted(Decoded decoded);

  AudioFormat format_;
  std::optional<OpusStreamDecoder> opus_;  // of an Opus format
  uint64_t samples_ = 0;
  PacketFates fates_;  // of streams before this format was set
};

}  // namespace antiphon
