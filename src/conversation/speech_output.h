// The model's samples to bytes of AudioDelta.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "antiphon/status.h"
#include "conversation/session_config.h"
#include "media/opus.h"
#include "media/resampler.h"

namespace antiphon {

struct OutputPacket {
  std::string bytes;
  uint64_t samples = 0;            // at the output rate
  std::optional<uint32_t> number;  // of an Opus packet, from 0
};

// One response's speech: resampled, then PCM16 or G.711 as it comes or Opus in packets of 20 ms. Not
// thread-safe.
class SpeechOutput {
 public:
  static Result<std::unique_ptr<SpeechOutput>> Create(int model_rate, const AudioFormat& format);

  // What the next packet depends on, but for the memory of an Opus encoder: of that there is only what it was
  // given last, which brings a fresh one close to it.
  struct State {
    int64_t inputs = 0;  // of the resampler, and the last of them
    std::vector<float> last;
    std::vector<float> pending;  // at the output rate, not encoded yet
    uint32_t packets = 0;        // of Opus, so far
    std::vector<float> encoded;  // at the output rate, the last
  };
  State Save() const;
  // REQUIRES: nothing was pushed yet. INTERNAL when the encoder fails.
  Status Restore(const State& state);

  // What can be sent so far.
  Result<std::vector<OutputPacket>> Push(std::span<const float> samples);
  // The rest; the last Opus packet is completed with silence. Nothing may be pushed after it.
  Result<std::vector<OutputPacket>> Finish();

 private:
  SpeechOutput(AudioEncoding encoding, Resampler resampler, std::optional<OpusPacketEncoder> opus)
      : encoding_(encoding), resampler_(std::move(resampler)), opus_(std::move(opus)) {}

  Result<std::vector<OutputPacket>> Encode();
  std::string EncodePending() const;

  const AudioEncoding encoding_;
  Resampler resampler_;
  std::optional<OpusPacketEncoder> opus_;  // of an Opus format
  uint32_t packets_ = 0;                   // of Opus, so far
  std::vector<float> pending_;             // at the output rate
  std::vector<float> encoded_;             // the last of what was given to the Opus encoder
};

}  // namespace antiphon
