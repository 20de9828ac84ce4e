#include "media/g711.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>

#include "media/pcm.h"

namespace antiphon {
namespace {

// Both laws: a sign, three bits of segment, four bits of step within it. Sign 1 is positive.
constexpr unsigned kSign = 0x80;
constexpr unsigned kStep = 0x0f;
constexpr float kScale = 32768.0f;

// ITU-T G.711 table 2: magnitudes of 13 bits, all bits but the sign are sent inverted. The bias makes the
// segments powers of two.
constexpr int kMuBias = 33;

constexpr int DecodeMu(unsigned code) {
  const unsigned inverted = ~code;
  const unsigned segment = (inverted >> 4) & 7;
  const int magnitude = static_cast<int>((((inverted & kStep) << 1) + kMuBias) << segment) - kMuBias;
  return (code & kSign) != 0 ? 4 * magnitude : -4 * magnitude;
}

unsigned EncodeMu(int sample) {
  const auto biased = static_cast<unsigned>(std::min(std::abs(sample) / 4 + kMuBias, 0x1fff));
  const auto segment = static_cast<unsigned>(std::bit_width(biased)) - 6;
  const unsigned code = segment << 4 | ((biased >> (segment + 1)) & kStep);
  return (~code & 0x7f) | (sample < 0 ? 0 : kSign);
}

// ITU-T G.711 table 1: magnitudes of 12 bits, every other bit is sent inverted. The first two segments have
// the same step.
constexpr unsigned kAToggled = 0x55;

constexpr int DecodeA(unsigned code) {
  const unsigned toggled = code ^ kAToggled;
  const unsigned segment = (toggled >> 4) & 7;
  const unsigned step = (toggled & kStep) + (segment > 0 ? 16 : 0);
  const int magnitude = static_cast<int>((step * 16 + 8) << (segment > 0 ? segment - 1 : 0));
  return (toggled & kSign) != 0 ? magnitude : -magnitude;
}

unsigned EncodeA(int sample) {
  const auto magnitude = static_cast<unsigned>(std::min(std::abs(sample) / 16, 0x7ff));
  const unsigned segment = magnitude < 16 ? 0 : static_cast<unsigned>(std::bit_width(magnitude)) - 4;
  const unsigned code = segment << 4 | ((magnitude >> (segment > 0 ? segment - 1 : 0)) & kStep);
  return (code | (sample < 0 ? 0 : kSign)) ^ kAToggled;
}

constexpr std::array<float, 256> TableOf(int (*decode)(unsigned)) {
  std::array<float, 256> table{};
  for (unsigned code = 0; code < table.size(); ++code) {
    table[code] = static_cast<float>(decode(code)) / kScale;
  }
  return table;
}

constexpr std::array<float, 256> kMuTable = TableOf(DecodeMu);
constexpr std::array<float, 256> kATable = TableOf(DecodeA);

}  // namespace

void AppendG711(std::string_view bytes, G711Law law, std::vector<float>* samples) {
  const std::array<float, 256>& table = law == G711Law::kMu ? kMuTable : kATable;
  samples->reserve(samples->size() + bytes.size());
  for (const char byte : bytes) samples->push_back(table[static_cast<uint8_t>(byte)]);
}

std::string EncodeG711(std::span<const float> samples, G711Law law) {
  std::string bytes;
  bytes.reserve(samples.size());
  for (const float sample : samples) {
    const int value = ToInt16(sample);
    bytes.push_back(static_cast<char>(law == G711Law::kMu ? EncodeMu(value) : EncodeA(value)));
  }
  return bytes;
}

}  // namespace antiphon
