// The microphone's stream, enhanced for those who listen to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "conversation/echo_reference.h"
#include "media/speech_enhancer.h"

namespace antiphon {

// SpeechEnhancer for pieces of any length, in time: sample n of what comes out is sample n of what went in,
// some 20 ms later. Passes everything on at once, unchanged, while nothing is to be enhanced. Not
// thread-safe.
class InputEnhancer {
 public:
  InputEnhancer() : echo_(SpeechEnhancer::kSampleRate) {}

  // From the next Reset on, or at once if nothing was processed since the last.
  void Configure(const SpeechEnhancement& wanted);
  // A stream begins. What was learnt of the noise and the room stays.
  void Reset();

  // 16 kHz. Appends to `enhanced` what is ready.
  void Process(std::span<const float> samples, std::vector<float>* enhanced);
  // The rest of what went in.
  void Flush(std::vector<float>* enhanced);

  // What is played meanwhile: see EchoReference. Speech is not kept while no echo is to be cancelled.
  void BeginResponse(bool behind, int64_t made) { echo_.Begin(behind, made); }
  void AddSpeech(std::span<const float> speech);
  void FollowPlayback(std::optional<int64_t> position) { echo_.Follow(position); }

 private:
  SpeechEnhancement wanted_;
  SpeechEnhancement used_;
  std::optional<SpeechEnhancer> enhancer_;  // while there is something to enhance
  EchoReference echo_;
  std::vector<float> pending_;  // less than a block
  size_t to_drop_ = 0;          // that come out before the first that went in
  int64_t taken_ = 0, given_ = 0;
};

}  // namespace antiphon
