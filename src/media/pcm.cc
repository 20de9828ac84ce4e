#include "media/pcm.h"

#include <algorithm>
#include <cmath>

namespace antiphon {
namespace {

constexpr float kScale = 32768.0f;

}  // namespace

Status AppendPcm16(std::string_view bytes, std::vector<float>* samples) {
  if (bytes.size() % 2 != 0) {
    return InvalidArgument("PCM16 audio has an odd number of bytes (" + std::to_string(bytes.size()) + ")");
  }
  samples->reserve(samples->size() + bytes.size() / 2);
  for (size_t i = 0; i < bytes.size(); i += 2) {
    const auto low = static_cast<uint8_t>(bytes[i]);
    const auto high = static_cast<uint8_t>(bytes[i + 1]);
    const auto value = static_cast<int16_t>(static_cast<uint16_t>(low | (high << 8)));
    samples->push_back(static_cast<float>(value) / kScale);
  }
  return OkStatus();
}

int16_t ToInt16(float sample) {
  if (std::isnan(sample)) return 0;
  return static_cast<int16_t>(std::lrint(std::clamp(sample * kScale, -kScale, kScale - 1.0f)));
}

std::string EncodePcm16(std::span<const float> samples) {
  std::string bytes;
  bytes.resize(samples.size() * 2);
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto value = static_cast<uint16_t>(ToInt16(samples[i]));
    bytes[2 * i] = static_cast<char>(value & 0xff);
    bytes[2 * i + 1] = static_cast<char>(value >> 8);
  }
  return bytes;
}

float LevelDbfs(std::span<const float> samples) {
  constexpr float kSilence = -120.0f;
  if (samples.empty()) return kSilence;
  double energy = 0.0;
  for (const float sample : samples) energy += static_cast<double>(sample) * sample;
  const double mean = energy / static_cast<double>(samples.size());
  return mean <= 1e-12 ? kSilence : static_cast<float>(10.0 * std::log10(mean));
}

}  // namespace antiphon
