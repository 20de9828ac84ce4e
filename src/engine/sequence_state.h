// A sequence as a value: all that its next position depends on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/kv_pages.h"
#include "model/audio_codec.h"
#include "model/stream_grammar.h"

namespace antiphon {

// A copy is a fork: it shares all pages until either side writes, and goes on by itself from then on. There
// is no sampler state: a draw depends on the options, the seed and the position only.
struct SequenceState {
  SequenceState(PagePool* pool, const AudioCodec& codec)
      : pages(pool), hearing(codec.MakeHearingState()), decoder(codec.MakeDecoderState()) {}

  StreamState stream;                     // where the grammar stands
  std::vector<StreamPosition> positions;  // what was run, one entry a position in `pages`
  PageTable pages;
  std::vector<int64_t> answer;  // text pieces of the response so far
  AudioHearingState hearing;    // of the open turn
  AudioDecoderState decoder;    // of the response

  int64_t length() const { return pages.length(); }

  // Turns and responses are streams of audio of their own: both codecs start anew, as in training.
  void ResetAudio() {
    hearing.Reset();
    decoder.Reset();
  }

  // Takes out the positions [first, first + rows); see PageTable::Remove.
  [[nodiscard]] bool Remove(int64_t first, int64_t rows, const GapCloser& close) {
    if (!pages.Remove(first, rows, close)) return false;
    const auto begin = positions.begin() + static_cast<std::ptrdiff_t>(first);
    positions.erase(begin, begin + static_cast<std::ptrdiff_t>(rows));
    return true;
  }

  // Cuts back to the first `length` positions, where the grammar stood at `before`.
  void Truncate(int64_t length, const StreamState& before) {
    pages.Truncate(length);
    positions.resize(static_cast<size_t>(length));
    answer.clear();
    stream = before;
    ResetAudio();
  }
};

}  // namespace antiphon
