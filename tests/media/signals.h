// Sounds to test with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "media/wav.h"

namespace antiphon {

// A sine of amplitude `amplitude`.
std::vector<float> Tone(double frequency, int sample_rate, size_t samples, float amplitude = 0.5f);
// Gaussian white noise of the given level, the same for the same seed.
std::vector<float> Noise(float level_dbfs, size_t samples, uint32_t seed);
// The amplitude of the sine of `frequency` in `samples`, by correlation. Exact for whole periods.
double ToneAmplitude(std::span<const float> samples, double frequency, int sample_rate);

// Runs a synthesiser (espeak-ng or flite, which scripts/setup.sh installs) that writes a WAV file to the path
// that replaces "{}" in `command`, and reads it. Fails the test if that does not work.
Audio Synthesise(const std::string& command);

}  // namespace antiphon
