// What comes out when a recorded session is run again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "antiphon/status.h"

namespace antiphon {

// One number that came out differently.
struct ReplayDifference {
  enum class Channel {
    kSymbol,  // what the position wrote: a piece of the transcript or of the answer, a control symbol, a code
              // of a picture
    kHeard,   // a code of the user's audio frame there
    kSpoken,  // a code of the model's audio frame drawn there
  };

  int64_t position = 0;  // of the sequence, from 0, as it was then
  Channel channel = Channel::kSymbol;
  int codebook = 0;  // of kHeard and kSpoken
  int64_t expected = 0;
  int64_t got = 0;  // -1: nothing was drawn

  friend bool operator==(const ReplayDifference&, const ReplayDifference&) = default;
};

// How a recording ends.
enum class RecordingEnd {
  kClosed,     // with its session
  kFull,       // at the limit of a recording's size: the session went on
  kLost,       // the disk was too slow or refused: likewise
  kBrokenOff,  // without a word: the process ended, or records still; what is there is whole
};

// The numbers of what was run until the end of the recording, or the first difference, which is then among
// them.
struct ReplayCounts {
  int64_t positions = 0;      // run, those that were cut off again included
  int64_t symbols = 0;        // compared
  int64_t heard_frames = 0;   // likewise
  int64_t spoken_frames = 0;  // likewise; the draw of the end of the speech counts as one

  friend bool operator==(const ReplayCounts&, const ReplayCounts&) = default;
};

// How a replay ended.
struct ReplayOutcome {
  // Not OK: it came no further than `counts` say. DATA_LOSS when the recording does not fit together,
  // RESOURCE_EXHAUSTED when there was no memory for it, CANCELLED when it was stopped.
  Status status = {};
  std::optional<ReplayDifference> difference = {};  // the first; the replay ends there
  ReplayCounts counts = {};
  RecordingEnd end = RecordingEnd::kClosed;
  // The arithmetic, as in "stored weights, avx512 kernels". Where they are not the same a difference proves
  // nothing.
  std::string recorded_with = {};
  std::string replayed_with = {};

  bool equal() const { return status.ok() && !difference; }
};

}  // namespace antiphon
