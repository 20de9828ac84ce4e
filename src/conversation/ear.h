// From the client's samples to what the model hears: resampling, enhancement, voice activity, and the gate.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "antiphon/types.h"
#include "common/clock.h"
#include "conversation/arrival_log.h"
#include "conversation/frame_gate.h"
#include "conversation/input_enhancer.h"
#include "conversation/turn_detection.h"
#include "media/resampler.h"
#include "media/voice_activity.h"

namespace antiphon {

// Offsets count samples at the input rate since the session began.
struct VoiceStarted {
  uint64_t offset = 0;
  TimePoint received{};  // when the packet with its first sample arrived
};
struct VoiceStopped {
  uint64_t offset = 0;
};
// Where a voice was last heard.
struct LastVoice {
  uint64_t end = 0;    // the first sample after it
  TimePoint received;  // when the packet with its last sample arrived
};
// The frame before it ends in silence, which will end the turn (LongSilence) before another frame is complete
// if no voice sets in. What was heard so far is then all of the turn.
struct LongSilenceNear {};
// Silence that ends a turn (SilenceInAudio) has followed a voice. Comes once for each, behind its
// VoiceStopped. A voice that may be setting in at that moment is waited for, 100 ms at most.
struct LongSilence {
  LastVoice voice;
};
using Heard = std::variant<VoiceStarted, VoiceStopped, GatedFrame, LongSilenceNear, LongSilence>;

// Listens to one user. The gate opens by itself when a voice sets in, from prefix_padding_ms before it, and
// is shut by Reset. The same samples, in any packets, amount to the same in the same order. Not thread-safe.
class Ear {
 public:
  // INVALID_ARGUMENT unless the model's rate is that of voice activity, 16 kHz, and frames have samples.
  static Result<Ear> Create(const ModelDescription& model, int input_rate);

  // One packet at the input rate. What it amounted to, in order.
  std::vector<Heard> Push(std::span<const float> samples, TimePoint received);

  // What to listen for, from the next sample on.
  void Configure(const TurnDetection& detection);
  // What is enhanced, and what is played meanwhile.
  InputEnhancer& enhancer() { return enhancer_; }

  // What is still to come of what was pushed, in frames, the last completed with silence; none when none
  // passes.
  std::vector<GatedFrame> Flush();
  // Forgets everything. The next sample is number `first_offset` of the session, at `input_rate`: 8, 16, 24
  // or 48 kHz.
  void Reset(int input_rate, uint64_t first_offset);

  // For another ear to go on from here: the last samples, at the input rate. Within a voice that passes the
  // gate they begin 20 ms before the frame begun, for the resampler; otherwise there are 1.5 s of them, if so
  // many came since Reset, for a voice may be setting in.
  std::vector<float> LastSamples(bool within_voice) const;
  // Goes on in the middle of a voice that another ear heard until now: its LastSamples come next, the first
  // of which is number `first_offset` of the session. The voice is taken to have ended at `voice_end` so far.
  void ResumeOpen(int input_rate, uint64_t first_offset, uint64_t voice_end, TimePoint now);

  // Until now nothing could come: Silence counts from here.
  void ForgiveSilence(TimePoint now) {
    last_arrival_ = now;
    last_length_ = Nanoseconds::zero();
  }

  // nullopt before any voice.
  const std::optional<LastVoice>& last_voice() const { return last_voice_; }
  // LongSilence has come since the last voice.
  bool long_silence() const { return long_silence_; }

  // The silence received since the last voice. REQUIRES: last_voice().
  Nanoseconds SilenceReceived() const;
  // How long there has been no voice: silence received since, and time since what the client sent ran out or,
  // if that was later, since `ready`, when more could have been taken. REQUIRES: last_voice().
  Nanoseconds Silence(TimePoint now, TimePoint ready) const;

 private:
  Ear(Resampler resampler, VoiceActivityDetector voice, int frame_samples);

  void Process(std::span<const float> samples, TimePoint received, std::vector<Heard>* heard);
  void NoteLastVoice();
  bool LongSilenceIsNear(const GatedFrame& frame) const;
  void NoteSilence(std::vector<Heard>* heard);
  uint64_t Offset(int64_t model_sample) const;
  int input_rate() const { return resampler_.input_rate(); }

  Resampler resampler_;
  InputEnhancer enhancer_;
  VoiceActivityDetector voice_;
  FrameGate gate_;
  int64_t lead_ = 0;          // samples that pass from before a voice
  int64_t most_silence_ = 0;  // samples; 0: none is too long
  ArrivalLog arrivals_;       // at the input rate, since Reset
  uint64_t first_offset_ = 0;
  size_t to_skip_ = 0;         // samples at the model's rate
  int64_t skipped_ = 0;        // of them, in all
  std::vector<float> recent_;  // the last samples at the input rate
  uint64_t pushed_ = 0;        // samples at the input rate, since Reset
  int64_t voice_end_ = 0;      // of the detector, when last_voice_ was noted
  TimePoint last_arrival_;
  Nanoseconds last_length_{0};  // of the last packet
  std::optional<LastVoice> last_voice_;
  bool long_silence_ = false;
};

}  // namespace antiphon
