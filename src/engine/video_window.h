// The frames of a sequence's video: those that wait to be run, and where the latest ones stand in its
// context. Bookkeeping only; LiveSequence does what follows from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "engine/sequence_request.h"

namespace antiphon {

// Each frame that is taken is counted once in the end: as shown in a turn that was answered, or as dropped.
// Engine's thread only.
class VideoWindow {
 public:
  // Where a new frame finds its sequence.
  enum class Moment {
    kBetweenTurns,
    kInTurn,
    kBehindTurnEnd,  // the turn's end is asked for and waits: the frame is one of the next turn
  };

  // ---- Waiting.

  // Takes a frame. Of those that wait the newest `most` are kept; within a turn a frame takes the place of
  // one that came within it too. The frame that is being run stays.
  void Add(VideoFrame frame, Moment moment, size_t most);

  // The frame to run next; null if there is none. `turn_end_waits`: those of the next turn do not count.
  const VideoFrame* Next(bool turn_end_waits) const;
  // How many of its pieces were run.
  int64_t run() const { return run_; }
  // `pieces` more of the first one were run; the sequence has `length` positions now.
  void Ran(int64_t pieces, int64_t length);
  // The first one cannot be run.
  void DropFirst();

  // ---- In the context.

  size_t in_context() const { return places_.size(); }
  int64_t rows_in_context() const;
  // REQUIRES: in_context() > 0.
  int64_t oldest_first() const { return places_.front().first; }
  int64_t oldest_rows() const { return places_.front().rows(); }
  // The first positions of all of them, oldest first.
  std::vector<int64_t> firsts() const;
  // Stands in the context from there on, as the newest: of a sequence that is restored.
  void Restore(int64_t first, VideoFrame frame) { places_.push_back({first, std::move(frame)}); }
  // It has left, and what stood behind it has moved up. REQUIRES: in_context() > 0.
  void OldestLeft();

  // ---- Turns.

  void BeginTurn() { shown_ = 0; }
  // The turn that is restored has so many in it.
  void RestoreTurn(int shown) { shown_ = shown; }
  // The sequence was cut back to `length`: what of the turn stood behind waits again, as far as it is among
  // the newest `most`.
  void ForgetTurn(int64_t length, size_t most);
  // All that stands in the context is lost, and the turn with it.
  void ForgetContext();
  // A turn end, if one waited, waits no more.
  void TurnEnds();
  // Frames that went into the turn.
  int shown() const { return shown_; }
  // Frames dropped since the last call.
  int TakeDropped();

 private:
  struct Waiting {
    VideoFrame frame;
    Moment came;
  };
  struct Place {
    int64_t first;
    VideoFrame frame;
    int64_t rows() const { return static_cast<int64_t>(frame.pieces.size()); }
  };

  void KeepNewest(size_t most);

  std::deque<Waiting> waiting_;
  int64_t run_ = 0;  // pieces of waiting_.front()
  std::deque<Place> places_;
  int shown_ = 0;
  int dropped_ = 0;
};

}  // namespace antiphon
