#include "tests/conversation/voice.h"

#include <cmath>
#include <cstddef>
#include <numbers>

namespace antiphon {
namespace {

// The gain of a resonance at `centre` Hz.
double Formant(double frequency, double centre, double width) {
  const double x = (frequency - centre) / width;
  return 1.0 / (1.0 + x * x);
}

}  // namespace

std::vector<float> Voice(int ms, int sample_rate) {
  constexpr int kHarmonics = 24;
  constexpr double kTwoPi = 2.0 * std::numbers::pi;
  std::vector<float> voice(static_cast<size_t>(sample_rate) * static_cast<size_t>(ms) / 1000);
  double phase = 0.0;
  for (size_t i = 0; i < voice.size(); ++i) {
    const double t = static_cast<double>(i) / sample_rate;
    const double pitch = 125.0 + 15.0 * std::sin(kTwoPi * 2.0 * t);
    phase += kTwoPi * pitch / sample_rate;
    const double syllable = 0.75 + 0.25 * std::sin(kTwoPi * 4.0 * t);
    double sum = 0.0;
    for (int k = 1; k <= kHarmonics; ++k) {
      const double frequency = k * pitch;
      const double gain = Formant(frequency, 600, 150) + 0.5 * Formant(frequency, 1400, 250) + 0.05;
      sum += gain * std::sin(k * phase);
    }
    voice[i] = static_cast<float>(0.12 * syllable * sum);
  }
  return voice;
}

}  // namespace antiphon
