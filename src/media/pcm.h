// Samples as bytes: little-endian signed 16-bit PCM to floats and back, and the level of a block.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "antiphon/status.h"

namespace antiphon {

// Appends one sample a byte pair to `samples`, in [-1, 1). INVALID_ARGUMENT when the number of bytes is odd;
// `samples` is then unchanged.
Status AppendPcm16(std::string_view bytes, std::vector<float>* samples);

// A sample in 16 bits. A value outside [-1, 1] is clamped and what is not a number becomes silence: a defect
// upstream is then a click at worst, never a full-scale wrap.
int16_t ToInt16(float sample);
// Two bytes a sample, each ToInt16.
std::string EncodePcm16(std::span<const float> samples);

// Root mean square in dB relative to full scale (a square wave of amplitude 1 has 0 dBFS). -120 for silence
// and for no samples at all.
float LevelDbfs(std::span<const float> samples);

}  // namespace antiphon
