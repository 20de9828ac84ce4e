// Where speech begins and ends in a stream, by the sound alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "antiphon/status.h"

namespace webrtc {
class AudioProcessing;
}

namespace antiphon {

// How readily the voice model takes 10 ms for voice: the higher, the less of a faint voice is missed and the
// more noise is taken for one.
enum class VoiceLikelihood { kVeryLow, kLow, kModerate, kHigh };

struct VoiceActivityOptions {
  // How much of the last 100 ms must be voice before speech has started, 10 to 100 ms.
  int onset_ms = 50;
  // Silence after which speech has stopped, 20 to 5000 ms.
  int hangover_ms = 300;
  // What is quieter than this is never voice, -90 to 0 dBFS over 10 ms.
  float min_level_dbfs = -47.0f;
  // The upper two hold on to a voice that has stopped up to 50 ms longer, where what follows is not below
  // min_level_dbfs.
  VoiceLikelihood likelihood = VoiceLikelihood::kLow;
};

struct VoiceEvent {
  enum class Kind { kStarted, kStopped };
  Kind kind;
  // In samples since the start of the stream: the first sample of the voice, or the first after it. Earlier
  // than the moment the event is given out, by the time it took to be sure.
  int64_t offset;

  friend bool operator==(const VoiceEvent&, const VoiceEvent&) = default;
};

// 16 kHz mono. WebRTC's voice model (Gaussian mixtures over six bands, adapting to the noise) judges each 10
// ms; what does not stand out of a steady noise is dropped, once 2 s of it were heard; the rest is gathered
// into stretches of speech. The same samples, in any pieces, give the same events. In noise an opening hiss
// (the s of "spell") is found only with its vowel, up to 0.2 s late.
//
// Thread rule: one thread at a time.
class VoiceActivityDetector {
 public:
  static constexpr int kSampleRate = 16000;
  static constexpr int kFrameSamples = 160;

  // INVALID_ARGUMENT names the option out of range.
  static Result<VoiceActivityDetector> Create(const VoiceActivityOptions& options);
  VoiceActivityDetector(VoiceActivityDetector&&) noexcept;
  VoiceActivityDetector& operator=(VoiceActivityDetector&&) noexcept;
  ~VoiceActivityDetector();

  // Appends what `samples` brought to light to `events`, in order; the kinds alternate.
  void Process(std::span<const float> samples, std::vector<VoiceEvent>* events);
  // Back to the start of a stream: offset 0, silence. The options stay.
  void Reset();
  // From the next 10 ms on; what was heard stays heard. INVALID_ARGUMENT, and nothing changes, as Create.
  Status Configure(const VoiceActivityOptions& options);

  bool speaking() const { return speaking_; }
  // Samples judged so far: all but less than 10 ms.
  int64_t judged() const { return frames_ * kFrameSamples; }
  // First sample after the last 10 ms of a voice that has started; 0 before any.
  int64_t last_voice_end() const { return last_voice_end_; }
  // No voice goes on, but one may be setting in: some of the last 100 ms were voice.
  bool undecided() const { return !speaking_ && recent_ != 0; }

 private:
  static Status Check(const VoiceActivityOptions& options);
  explicit VoiceActivityDetector(const VoiceActivityOptions& options);
  bool FrameIsVoice(std::span<const float> frame);
  bool StandsOut(float level);
  std::optional<VoiceEvent> Advance(bool voice);

  VoiceActivityOptions options_;
  std::unique_ptr<webrtc::AudioProcessing> model_;
  std::vector<float> pending_;  // less than a frame
  std::vector<float> levels_;   // dBFS of the last 2 s of frames, a ring
  int64_t frames_ = 0;          // judged
  uint32_t recent_ = 0;         // the last frames' judgements, newest in bit 0
  bool speaking_ = false;
  int64_t last_voice_end_ = 0;  // samples
};

}  // namespace antiphon
