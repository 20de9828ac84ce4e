// What the user's loudspeaker plays while the microphone is open.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>

namespace antiphon {

// The speech of the responses, read in step with the microphone: one clock for both, as in most devices, so
// that the delay between the two stays what it is when packets come early or late. Positions are samples at
// the rate of both, and count from the beginning of the response under way, or the last. Not thread-safe.
class EchoReference {
 public:
  explicit EchoReference(int sample_rate)
      : patience_(sample_rate * 3 / 10), tolerance_(sample_rate / 10), most_(int64_t{sample_rate} * 120) {}

  // A response begins. What is left of the one before is played first if `behind`, and not at all otherwise.
  // Of its speech, `made` samples are not known here.
  void Begin(bool behind, int64_t made);
  // More of its speech; or so many samples that are not to be kept, and will be read as silence.
  void Add(std::span<const float> speech);
  void Skip(int64_t samples);

  // The loudspeaker is taken to play this sample next, a negative one so long before the first; nullopt:
  // none. Only a difference of more than 100 ms that lasts 300 ms is believed.
  void Follow(std::optional<int64_t> position);
  // The next samples that it plays: silence where it plays none.
  void Read(std::span<float> samples);

 private:
  // The first samples, as many as there are.
  void Forget(int64_t samples);

  const int64_t patience_;
  const int64_t tolerance_;
  const int64_t most_;  // samples that are kept while nobody reads: more than the longest response
  // From here on positions count from the very first sample.
  std::deque<float> speech_;
  int64_t first_ = 0;  // of speech_
  int64_t begin_ = 0;  // of the response
  int64_t next_ = 0;   // to be read
  bool playing_ = false;
  int64_t apart_ = 0;  // samples read since what is played and what is read have differed
};

}  // namespace antiphon
