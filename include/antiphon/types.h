// Plain values that cross the public interfaces of Antiphon.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace antiphon {

// A moment on the process's steady clock.
using TimePoint = std::chrono::steady_clock::time_point;

// How symbols and audio codes are drawn. Per sequence; a fixed seed gives the same tokens whatever else is in
// a batch.
struct SamplingOptions {
  float temperature = 0.0f;         // 0 (greedy) to 2
  int top_k = 0;                    // keep the k likeliest; 0 keeps all; at most 10000
  float top_p = 1.0f;               // (0, 1]
  float repetition_penalty = 1.0f;  // 1 (off) to 2; divides the weight of text pieces already in the response
  uint64_t seed = 0;
};

// Whose voice speaks: the model's own, or a lower one.
enum class SpeechVoice { kOwn, kLow };
constexpr int kSpeechVoices = 2;

// How fast it speaks: kSlow has 0.8 times and kFast 1.25 times the normal speed, at the same pitch.
enum class SpeechSpeed { kSlow, kNormal, kFast };
constexpr int kSpeechSpeeds = 3;

// How the same words are spoken.
struct SpeechManner {
  SpeechVoice voice = SpeechVoice::kOwn;
  SpeechSpeed speed = SpeechSpeed::kNormal;

  friend bool operator==(const SpeechManner&, const SpeechManner&) = default;
};

// How many samples what takes `samples` at the normal speed takes at this one: 5/4 of them or 4/5, rounded
// down.
constexpr int64_t SamplesAt(SpeechSpeed speed, int64_t samples) {
  if (speed == SpeechSpeed::kSlow) return samples * 5 / 4;
  return speed == SpeechSpeed::kFast ? samples * 4 / 5 : samples;
}

// Who ended the user's turn.
enum class TurnEndCause { kModel, kCommit, kSilence, kLength };

// How a response ended.
enum class ResponseEnd { kCompleted, kCancelled, kIncomplete, kFailed };

// A picture: 8-bit sRGB without alpha.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // rows from the top, 3 * width bytes each

  friend bool operator==(const Image&, const Image&) = default;
};

// What a model is, as its folder says.
struct ModelDescription {
  std::string name;
  std::string version;
  uint64_t parameters = 0;          // of the language model, without the codec
  int sample_rate = 0;              // of the codec, Hz
  int frame_samples = 0;            // samples of one frame
  std::vector<int> codebook_sizes;  // one entry a codebook
  int vocabulary_size = 0;
  int max_positions = 0;  // the longest sequence
  int image_side = 0;     // pixels on a side of the square pictures it sees and draws; 0: it knows none
  int image_grid = 0;     // codes on a side of such a picture
  bool manners = false;   // it speaks in every SpeechManner; false: in the default one only
  bool calls_functions = false;  // that are declared to it: Sequence::DeclareFunctions
  // Text pieces of Sequence::Instruct, at most; 0: it was not trained with instructions and takes none.
  int max_instruction_pieces = 0;
  bool tells_words = false;  // which word of its answer it is saying: Sequence::CutResponse
  // Probability of "the user's turn is over" from which it takes its turn by itself, (0, 1].
  float endpoint_threshold = 0.9f;
};

}  // namespace antiphon
