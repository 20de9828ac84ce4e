#include "tests/media/signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numbers>
#include <random>

namespace antiphon {

std::vector<float> Tone(double frequency, int sample_rate, size_t samples, float amplitude) {
  std::vector<float> tone(samples);
  for (size_t i = 0; i < samples; ++i) {
    const double phase = 2.0 * std::numbers::pi * frequency * static_cast<double>(i) / sample_rate;
    tone[i] = amplitude * static_cast<float>(std::sin(phase));
  }
  return tone;
}

std::vector<float> Noise(float level_dbfs, size_t samples, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, std::pow(10.0f, level_dbfs / 20.0f));
  std::vector<float> noise(samples);
  for (float& sample : noise) sample = normal(generator);
  return noise;
}

double ToneAmplitude(std::span<const float> samples, double frequency, int sample_rate) {
  double real = 0.0;
  double imaginary = 0.0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const double phase = 2.0 * std::numbers::pi * frequency * static_cast<double>(i) / sample_rate;
    real += samples[i] * std::cos(phase);
    imaginary += samples[i] * std::sin(phase);
  }
  return 2.0 * std::hypot(real, imaginary) / static_cast<double>(samples.size());
}

Audio Synthesise(const std::string& command) {
  const std::string path =
      testing::TempDir() + "antiphon_media_test_speech_" + std::to_string(getpid()) + ".wav";
  std::string line = command;
  const size_t hole = line.find("{}");
  if (hole != std::string::npos) line.replace(hole, 2, path);
  const int exit_code = std::system(line.c_str());
  EXPECT_EQ(exit_code, 0) << line;
  const Result<Audio> audio = ReadWav(path);
  std::filesystem::remove(path);
  EXPECT_TRUE(audio.ok()) << audio.status().ToString();
  return audio.ok() ? *audio : Audio{};
}

}  // namespace antiphon
