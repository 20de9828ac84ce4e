// Audio files in and out.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "antiphon/status.h"

namespace antiphon {

// Mono audio.
struct Audio {
  std::vector<float> samples;  // [-1, 1]
  int sample_rate = 0;         // Hz

  double seconds() const {
    return sample_rate == 0 ? 0.0 : static_cast<double>(samples.size()) / sample_rate;
  }
};

// What a file may be. A file outside the limits is refused, never cut.
struct AudioLimits {
  double max_seconds = 600.0;
  int max_channels = 8;
};

// Reads what libsndfile reads (WAV in every sample format, FLAC, Ogg, ...), 4 to 192 kHz; channels are
// averaged. NOT_FOUND when there is no such file, DATA_LOSS when it is not audio or broken, OUT_OF_RANGE when
// beyond `limits`.
Result<Audio> ReadWav(const std::string& path, const AudioLimits& limits = {});
// The same for a file held in memory.
Result<Audio> ReadWavBytes(std::string_view bytes, const AudioLimits& limits = {});

// Writes 16-bit mono WAV; samples beyond [-1, 1] are clamped. An existing file is replaced; on failure a
// partial file may be left. INVALID_ARGUMENT for a rate outside 4 to 192 kHz, UNAVAILABLE when the file
// cannot be written.
Status WriteWav(const std::string& path, std::span<const float> samples, int sample_rate);
// The same as bytes.
Result<std::string> EncodeWav(std::span<const float> samples, int sample_rate);

}  // namespace antiphon
