// The Opus packets of one stream to samples without a gap, whatever the transport did to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "antiphon/status.h"
#include "antiphon/types.h"
#include "media/opus.h"
#include "media/reorder_buffer.h"

namespace antiphon {

// Packets that did not come in their turn. A lost one is in one of the first two.
struct PacketFates {
  uint32_t recovered = 0;   // lost; decoded from the copy in the packet behind it
  uint32_t concealed = 0;   // lost or broken; filled with what might have been there, or with silence
  uint32_t late = 0;        // came after it was given up; dropped
  uint32_t duplicates = 0;  // came again; dropped

  friend bool operator==(const PacketFates&, const PacketFates&) = default;
};

// Samples of a packet, behind those of the lost ones before it.
struct DecodedPacket {
  std::vector<float> samples;
  TimePoint received;  // when the packet arrived, or one before it if that was later
};

// Decodes packets that come in order, and numbered ones in any order (reorder_buffer.h). A lost packet is
// taken to be as long as the one before it, so that the samples go on to tell the time: up to kMaxConcealed
// in a row are filled with the packet's copy (FEC) or by concealment, more with silence. At most 12 s are
// filled in at once. Not thread-safe.
class OpusStreamDecoder {
 public:
  static constexpr uint32_t kMaxConcealed = 10;

  // `sample_rate` is that of the output, 24000 or 48000 Hz.
  static Result<OpusStreamDecoder> Create(int sample_rate);

  // A packet without a number: what waits goes before it, and the next number is free again. INVALID_ARGUMENT
  // for a packet that is none, which then changes nothing.
  Result<std::vector<DecodedPacket>> Push(std::string_view packet, TimePoint received);
  // A packet with a number. The packets whose turn has come, in order: none or several. OUT_OF_RANGE for a
  // number too far from the one whose turn it is; the packet is then forgotten, but when the next one follows
  // it a new count has begun, before which all that waits is let go. A wait before `ready`, when the caller
  // could have pushed no more, does not count (ReorderBuffer::Pop).
  Result<std::vector<DecodedPacket>> Push(std::string_view packet, uint32_t number, TimePoint received,
                                          TimePoint ready = {});

  // What has waited too long by `now`.
  std::vector<DecodedPacket> PopOverdue(TimePoint now, TimePoint ready);
  // All that waits; what is missing before it is lost.
  std::vector<DecodedPacket> Flush();
  bool empty() const { return waiting_.empty(); }

  // Since the last call.
  PacketFates TakeFates();

 private:
  explicit OpusStreamDecoder(OpusPacketDecoder decoder) : decoder_(std::move(decoder)) {}

  DecodedPacket Decode(const ReorderBuffer::Released& released);
  void Fill(uint32_t lost, std::string_view next, std::vector<float>* samples);

  OpusPacketDecoder decoder_;
  ReorderBuffer waiting_;
  size_t last_length_ = 0;  // samples of the last packet; 0 before any
  TimePoint received_;      // of the last packet
  PacketFates fates_;
};

}  // namespace antiphon
