#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "media/opus_stream.h"
#include "tests/fuzz/targets.h"

namespace antiphon::fuzz {
namespace {

constexpr int kRate = 24'000;
constexpr size_t kLongestPacket = kRate * 120 / 1000;
constexpr size_t kMostRecords = 500;

enum Operation : uint8_t { kNumbered, kWithoutNumber, kOverdue, kFlush, kOperations };

// What comes out at one time.
void Check(const std::vector<DecodedPacket>& packets) {
  Promise(packets.size() <= ReorderBuffer::kMaxHeld + 2);
  for (const DecodedPacket& packet : packets) {
    Promise(!packet.samples.empty());
    Promise(packet.samples.size() <= (ReorderBuffer::kMaxDistance + 1) * kLongestPacket);
    Promise(std::ranges::all_of(packet.samples, [](float sample) { return std::isfinite(sample); }));
  }
}

void Check(const Result<std::vector<DecodedPacket>>& packets) {
  if (packets.ok()) return Check(*packets);
  Promise(!packets.status().message().empty() && packets.status().message().size() < 256);
}

}  // namespace

void DecodeOpusStream(std::string_view bytes) {
  Result<OpusStreamDecoder> stream = OpusStreamDecoder::Create(kRate);
  Promise(stream.ok());
  TimePoint now;
  uint32_t number = 0;
  for (size_t record = 0; record < kMostRecords && bytes.size() >= 4; ++record) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const uint8_t operation = byte(0) % kOperations;
    // By how much the number goes on; the ends of the byte's range are far away.
    const auto step = static_cast<int8_t>(byte(1));
    const std::chrono::milliseconds away(byte(1));
    now += std::chrono::milliseconds(byte(2));
    const size_t length = std::min<size_t>(byte(3), bytes.size() - 4);
    const std::string_view packet = bytes.substr(4, length);
    bytes.remove_prefix(4 + length);
    switch (operation) {
      case kNumbered:
        number += static_cast<uint32_t>(step == 127 ? 1 << 30 : step);
        Check(stream->Push(packet, number, now));
        break;
      case kWithoutNumber:
        Check(stream->Push(packet, now));
        break;
      case kOverdue:
        Check(stream->PopOverdue(now, now - away));
        break;
      default:
        Check(stream->Flush());
        Promise(stream->empty());
    }
  }
  Check(stream->Flush());
  const PacketFates fates = stream->TakeFates();
  Promise(fates.late + fates.duplicates <= kMostRecords);
  Promise(fates.recovered + fates.concealed <= kMostRecords * (ReorderBuffer::kMaxDistance + 1));
}

}  // namespace antiphon::fuzz
