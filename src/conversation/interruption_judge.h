// Whether a voice that set in during an answer is the user's turn.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "conversation/ear.h"

namespace antiphon {

enum class VoiceVerdict {
  kOpen,     // that is still to be seen
  kTurn,     // the answer is cut
  kNothing,  // it goes on
};

// A voice as a sound, so far.
struct VoiceSound {
  Nanoseconds length{0};   // from its onset to where it was last heard
  bool stopped = false;    // voice activity says so, or the client has stopped sending
  Nanoseconds silence{0};  // since it was last heard
};

// By length alone: one that goes on for `min_voice` is a turn, one that stops before that is not.
VoiceVerdict JudgeBySound(const VoiceSound& voice, std::chrono::milliseconds min_voice);

// Judges by what was said. A fork of the session's sequence, which stands where the user stopped hearing the
// answer, listens to the voice as to a turn; the model's own transcript and its own end of the turn decide.
// Not thread-safe.
class InterruptionJudge {
 public:
  explicit InterruptionJudge(std::unique_ptr<Sequence> fork) : fork_(std::move(fork)) {}

  // Passes the frames on that the fork has not got yet, as far as it has room. `heard` is all since the voice
  // set in: the same as in the call before, and more.
  void Listen(const std::deque<Heard>& heard);

  // What the fork was told.
  void OnEvent(const SequenceEvent& event);

  // A turn:
  //   - at a stop word (interjections.h) that is complete: another word follows, the model judges the turn
  //     over, or the voice has stopped;
  //   - at a word that is no backchannel, when the model judges the turn over, however short the voice; from
  //     `min_voice` on in any case, also while it is still being written;
  //   - after 2 s of voice (or `min_voice`, if that is longer), words or none.
  // Nothing: when the voice has stopped, the model has heard 300 ms of silence behind it, and it is no turn.
  //   A word alone makes no turn of a short voice: a model that has heard only speech finds words in a hum.
  // By sound, when the fork was lost or is 1.5 s behind.
  VoiceVerdict Judge(const VoiceSound& voice, std::chrono::milliseconds min_voice) const;

 private:
  std::vector<std::string> Words() const;
  bool HasHeardAll() const { return all_passed_ && frames_waiting_ == 0; }

  std::unique_ptr<Sequence> fork_;  // null: lost
  size_t passed_ = 0;               // of what was heard
  bool all_passed_ = false;
  int frames_waiting_ = 0;  // passed, and not run yet
  std::string transcript_;  // of all turns of the fork
  bool turn_over_ = false;  // behind the last of it
};

}  // namespace antiphon
