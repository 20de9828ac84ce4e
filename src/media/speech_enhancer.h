// What a microphone picks up besides the voice, taken out of it: steady noise, and the echo of what a
// loudspeaker beside it plays.
#pragma once

#include <memory>
#include <span>

namespace webrtc {
class AudioProcessing;
}

namespace antiphon {

// How much of a steady noise is taken away: 6, 12, 18 dB. The more, the more of the voice goes with it.
enum class NoiseSuppression { kOff, kLow, kModerate, kHigh };

struct SpeechEnhancement {
  NoiseSuppression noise_suppression = NoiseSuppression::kOff;
  bool echo_cancellation = false;

  bool any() const { return noise_suppression != NoiseSuppression::kOff || echo_cancellation; }
  friend bool operator==(const SpeechEnhancement&, const SpeechEnhancement&) = default;
};

// 16 kHz mono, in blocks of 10 ms. WebRTC's audio processing: a Wiener filter on the noise it has learnt in
// the pauses, an adaptive filter on the loudspeaker's signal, long enough for an echo that comes up to 120 ms
// later, and a high-pass filter in front of both. Until it has learnt the room, from the first half second
// that the loudspeaker plays, it suppresses what the two have in common.
//
// Thread rule: one thread at a time.
class SpeechEnhancer {
 public:
  static constexpr int kSampleRate = 16000;
  static constexpr int kBlockSamples = 160;

  explicit SpeechEnhancer(const SpeechEnhancement& wanted);
  SpeechEnhancer(SpeechEnhancer&&) noexcept;
  SpeechEnhancer& operator=(SpeechEnhancer&&) noexcept;
  ~SpeechEnhancer();

  // How much later what went in comes out, besides the block itself: 0 to 13 ms.
  int delay_samples() const;

  // From the next block on; what was learnt of the noise and the room stays.
  void Configure(const SpeechEnhancement& wanted);

  // One block, in place. `loudspeaker` is what was played 10 to 120 ms before what of it is heard here, and
  // silence where none was. Both have kBlockSamples, -1 to 1; what is beyond is clipped.
  void Process(std::span<const float> loudspeaker, std::span<float> block);

 private:
  SpeechEnhancement wanted_;
  std::unique_ptr<webrtc::AudioProcessing> processing_;
};

}  // namespace antiphon
