// Sounds that people and rooms make while somebody else is talking, and that mean nothing.
#pragma once

#include <cstdint>
#include <vector>

namespace antiphon::bench {

enum class Noise {
  kCough,  // one or two bursts of breath through a throat
  kHum,    // "mhm": two nasal syllables
  kSlam,   // a door: a thump that rings
};
constexpr Noise kNoises[] = {Noise::kCough, Noise::kHum, Noise::kSlam};

const char* NameOf(Noise kind);

// One of them, 0.15 to 0.5 s long, as loud as speech; `seed` decides on length, pitch and colour. It begins
// at once. In [-1, 1]. REQUIRES: sample_rate of at least 8000 Hz.
std::vector<float> MakeNoise(Noise kind, uint32_t seed, int sample_rate);

}  // namespace antiphon::bench
