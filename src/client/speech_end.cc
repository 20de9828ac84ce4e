#include "client/speech_end.h"

#include <algorithm>
#include <vector>

#include "media/pcm.h"

namespace antiphon::client {
namespace {

constexpr float kBelowLoudest = 35;       // dB
constexpr float kAboveFloor = 10;         // dB
constexpr float kLeastLevel = -60;        // dBFS
constexpr float kFloorPercentile = 0.1f;  // of the windows

}  // namespace

size_t FindSpeechEnd(std::span<const float> samples, int sample_rate) {
  const size_t window = std::max<size_t>(1, static_cast<size_t>(sample_rate) / 100);
  std::vector<float> levels;
  for (size_t start = 0; start < samples.size(); start += window) {
    levels.push_back(LevelDbfs(samples.subspan(start, std::min(window, samples.size() - start))));
  }
  if (levels.empty()) return 0;
  const float loudest = std::ranges::max(levels);
  std::vector<float> sorted = levels;
  const auto floor =
      sorted.begin() + static_cast<ptrdiff_t>(kFloorPercentile * static_cast<float>(sorted.size()));
  std::ranges::nth_element(sorted, floor);
  // A recording without any pause has a floor as loud as its speech: the first bound keeps that from hiding
  // it.
  const float threshold =
      std::max({loudest - kBelowLoudest, std::min(*floor + kAboveFloor, loudest - kAboveFloor), kLeastLevel});
  for (size_t i = levels.size(); i-- > 0;) {
    if (levels[i] > threshold) return std::min((i + 1) * window, samples.size());
  }
  return 0;
}

}  // namespace antiphon::client
