#include <cmath>

#include "media/wav.h"
#include "tests/fuzz/targets.h"

namespace antiphon::fuzz {

void ReadRecording(std::string_view bytes) {
  constexpr AudioLimits kLimits{.max_seconds = 2.0, .max_channels = 4};
  const Result<Audio> audio = ReadWavBytes(bytes, kLimits);
  if (!audio.ok()) return Promise(!audio.status().message().empty());
  Promise(audio->sample_rate >= 4'000 && audio->sample_rate <= 192'000);
  Promise(audio->seconds() <= kLimits.max_seconds);
}

}  // namespace antiphon::fuzz
