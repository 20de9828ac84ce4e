// The engine: many sequences, one model, one thread that runs it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "antiphon/kv_format.h"
#include "antiphon/replay.h"
#include "antiphon/status.h"
#include "antiphon/types.h"
#include "antiphon/weight_format.h"

namespace antiphon {

// In which order work that waits is run.
enum class Schedule : uint8_t {
  kDeadlines,  // earliest deadline first
  kArrival,    // first come, first served: for comparison, conversations stutter under load
};

// Settings of the engine. The defaults suit two CPU cores and the model that ships.
struct EngineOptions {
  int max_sequences = 16;   // open at once; more are refused with RESOURCE_EXHAUSTED
  int kv_pages = 0;         // pages of the pool, shared by all; 0: room for every sequence's whole context
  int page_positions = 16;  // positions of one page
  int max_batch_positions = 128;
  int max_pending_frames = 256;  // heard frames a sequence may have waiting; more have to wait outside
  int threads = 0;               // of the model's arithmetic; 0: one a core, at most 4
  WeightFormat weights = WeightFormat::kAsStored;
  KvFormat kv_format = KvFormat::kFloat32;  // of the pool: docs/engine.md, "Memory of the cache"
  // Every sequence is recorded to a file of its own in this folder, which is made if there is none; empty:
  // none is. The files hold what was said, as it was said.
  std::string record_folder = {};
  int64_t max_recording_bytes = int64_t{64} << 20;    // of one file, 1 KiB to 1 TiB: it is cut off there
  std::chrono::milliseconds first_audio_target{300};  // deadline of a turn's first frame, from the turn's end
  // Pages that keep what sequences begin with (instructions) for the next that begins so, 0 to 4096; 0: none
  // are kept. Of the pool: they give way before anything else does.
  int prefix_pages = 256;
  // Steps of an answer that may be run before the turn is over (Sequence::ExpectTurnEnd), 0 to 64; 0: none.
  int speculative_steps = 8;
  Schedule schedule = Schedule::kDeadlines;
  // Sequences are refused when the cost of steps that was measured says that deadlines could not be kept;
  // false: up to max_sequences all are let in, to see what happens.
  bool keep_promises = true;
};

// How Sequence::Fork makes its fork.
struct ForkOptions {
  // As if CutResponse had been called with so many frames first, of the fork only; at least 0. Unset: as the
  // sequence stands.
  std::optional<int> heard_frames = std::nullopt;
  // What the fork's turns are numbered from, at least 1: the turn under way, or else the next, has it. What
  // is told before carries the number before.
  uint64_t first_turn = 1;
  // False: it only listens. A response of the fork ends as it begins, as if it had been cancelled.
  bool answers = true;
};

// Settings of one sequence, taken over at the start of the next response unless said otherwise.
struct SequenceOptions {
  bool speak = true;           // false: written answers, no audio codes are drawn
  bool semantic_turns = true;  // the model may end the user's turn by itself; from the next heard frame on
  float endpoint_threshold = 0.0f;  // probability in (0, 1) from which it does; 0: the model's own; likewise
  int max_response_frames = 375;    // of speech; 1 to 1000
  int max_response_pieces = 256;    // of text; 1 to 1024
  int max_response_images = 1;      // pictures the model may draw in a response; 0 to 4
  int max_video_frames = 2;         // the latest so many stay in the context; 1 to 8; from the next frame on
  // Of a response's speech: further frames are not made before PaceSpeech asks for them, once text and
  // pictures are written; 0: all are. 0 to 100000.
  int unpaced_frames = 0;
  SpeechManner manner{};  // of speech; of a model without manners it is always the default one
  SamplingOptions sampling{};
  // Nobody is talking to it: all its work is done in the time that other sequences leave, though never put
  // off for ever. As it is at Open; Configure does not change it.
  bool best_effort = false;
};

// ---- What a sequence reports, in order. `at` is when the engine knew it.

// More of the running transcript of the user's speech. Words are separated by single spaces; deltas joined
// are it all.
struct TranscriptDelta {
  std::string text;
};

// The user's turn is over and the response begins.
struct TurnEnded {
  TurnEndCause cause;
  std::string transcript;  // everything heard and typed in the turn
  int heard_frames = 0;
  int text_pieces = 0;
  int texts = 0;   // calls of AppendText in it; later ones belong to the next turn
  int images = 0;  // calls of AppendImage in it; likewise
  TimePoint at;
  int video_frames = 0;  // calls of AppendVideoFrame that went into it
  // Those since the last TurnEnded that went into no turn that was answered: newer ones took their place,
  // their turn was cleared, or there was no room for them.
  int dropped_video_frames = 0;
  int function_results = 0;  // calls of AppendFunctionResult in it; later ones belong to the next turn
  int function_pieces = 0;   // text pieces of these, and of the functions declared at its beginning
};

// More text of the answer.
struct ResponseText {
  std::string text;
  TimePoint at;
};

// One frame of the answer's speech: samples in [-1, 1], SamplesAt(speed, ModelDescription::frame_samples) of
// them.
struct ResponseAudio {
  std::vector<float> samples;
  TimePoint at;
};

// A picture of the answer, as far as it is written: told when the picture begins (no codes), after each row
// of ModelDescription::image_grid codes, and so, with all rows, when it is complete. Engine::PaintImage makes
// pixels of it. A picture that is not complete when ResponseDone comes stays so.
struct ResponseImage {
  int index = 0;           // of the response's pictures, from 0
  std::vector<int> codes;  // written so far, row by row from the top
  TimePoint at;
};

// The response calls a function. What the model writes of a call, joined, is the function's name, a space and
// its arguments, such as `set_timer {"minutes":5}`: as far as it has learnt to, nothing is checked here. One
// that is not complete when ResponseDone comes stays so. The speech goes on meanwhile; no text follows.
struct ResponseCall {
  std::string text;       // more of it; may be empty
  bool complete = false;  // nothing of it follows, and the model remembers that it called
  TimePoint at;
};

// The model chose how it is to speak from the next response on, mostly because the user asked for it. What is
// unset stays. Nothing changes by itself: Configure makes it so.
struct MannerChosen {
  std::optional<SpeechVoice> voice;
  std::optional<SpeechSpeed> speed;
  TimePoint at;
};

// The response is over; nothing of it follows. The sequence waits for the next turn.
struct ResponseDone {
  ResponseEnd end;
  Status error;  // of kFailed
  int text_pieces = 0;
  int spoken_frames = 0;
  int images = 0;  // that are complete
  int context_positions = 0;
  int calls = 0;        // of functions, that are complete
  int call_pieces = 0;  // text pieces of a call
};

// The last response was cut back to what the user had heard of it: Sequence::CutResponse. Comes before its
// ResponseDone, if that was still to come.
struct ResponseCut {
  int frames = 0;    // of its speech that stay
  std::string text;  // the words that were spoken to their end within them
};

// What Sequence::Export asked for.
struct SequenceExported {
  std::string bytes;  // empty: input that was appended before it waits for the end of the response
};

// Input that could not be taken (the context is full, a step failed). The sequence goes on, but the open turn
// has a hole now: EndTurn forgets it, as ClearTurn does, instead of answering a part of it. The model may
// still end it by itself, and answers what it has of it then.
struct InputRefused {
  Status error;
};

// ClearTurn was carried out: what was reported of the open turn before this is void. Reported during a
// response too, on which ClearTurn has no effect.
struct TurnCleared {
  int calls = 1;  // of ClearTurn that this answers; each call is counted once
};

// So many of the frames that AppendFrame took wait no longer: they were run, or dropped. Each is counted
// once, whatever became of it, and after what it made the model say.
struct RoomForFrames {
  int frames = 0;
};

using SequenceEvent = std::variant<TranscriptDelta, TurnEnded, ResponseText, ResponseAudio, ResponseImage,
                                   ResponseCall, MannerChosen, ResponseCut, ResponseDone, SequenceExported,
                                   InputRefused, TurnCleared, RoomForFrames>;

// Receives a sequence's events on the engine's thread; must return at once and must not throw. Not called
// after the sequence's destructor has returned; the destructor waits for a call that is running, so never
// destroy a sequence from its own listener. `turn` counts user turns from 1 and tags late results of a
// cancelled turn; the number of a cleared turn is not used again.
using SequenceListener = std::function<void(uint64_t turn, SequenceEvent event)>;

// One conversation's sequence. Calls are requests to the engine's thread: they return at once and are carried
// out in order. Safe from any one thread at a time. The destructor frees the sequence's pages and slot.
//
// A turn goes: AppendFrame, AppendText, AppendImage and AppendFunctionResult in any mix, then the model
// (semantic_turns) or EndTurn ends it; the response follows; ResponseDone opens the next turn.
class Sequence {
 public:
  virtual ~Sequence() = default;

  // Takes effect as SequenceOptions says, the open turn included, for what is appended after it. A value out
  // of its range is moved to the nearest limit.
  virtual void Configure(const SequenceOptions& options) = 0;

  // One frame of the user's speech: exactly frame_samples samples. `received` is when its last sample
  // arrived, for deadlines. Dropped while a response is under way. RESOURCE_EXHAUSTED, with nothing taken,
  // when max_pending_frames wait already: a RoomForFrames that says when to try again is then sure to follow.
  // INVALID_ARGUMENT for a wrong size.
  virtual Status AppendFrame(std::span<const float> samples, TimePoint received) = 0;

  // Text of the user's turn. INVALID_ARGUMENT when it is not UTF-8, is empty or has more than 1024 pieces
  // or 16384 bytes.
  // RESOURCE_EXHAUSTED, with nothing taken, when too much text and too many pictures wait already.
  virtual Status AppendText(const std::string& text) = 0;

  // A picture of the user's turn, of any size: it is fitted into the model's square with its edge's colour
  // around it, and encoded during the call (some 10 ms). UNIMPLEMENTED for a model that knows no pictures,
  // INVALID_ARGUMENT for one whose `rgb` does not fit its sides, or that has more than 65536 pixels on one,
  // RESOURCE_EXHAUSTED as for AppendText, INTERNAL when the codec fails.
  virtual Status AppendImage(const Image& image) = 0;

  // A frame of the user's video, otherwise as AppendImage. It opens no turn and makes none worth an answer:
  // it goes into the turn that is open, as soon as no heard frame is more urgent, and otherwise waits for the
  // next one and goes in before all else. Of those that wait only the newest max_video_frames are kept, and
  // of those that come within a turn only the newest. The newest max_video_frames stay in the context: before
  // one more goes in the oldest leaves it, whichever turn it came in, and what came behind it moves up. What
  // the model had made of it stays. A frame for which there is no room is dropped, and nobody told but by
  // TurnEnded. No effect of ClearTurn on those that wait; those of the cleared turn wait again.
  virtual Status AppendVideoFrame(const Image& image) = 0;

  // The functions that responses may call: their signatures as one text, "set_timer minutes , switch_light
  // room state"; empty: none. The model reads it at the beginning of the next turn that opens, if it is
  // another than it has read last (Restore brings that along), and calls from the response to that turn on;
  // until then nothing is called that is declared no more. UNIMPLEMENTED for a model that knows no functions,
  // unless there are none; INVALID_ARGUMENT, with nothing changed, for a text that is not UTF-8 or has more
  // than 1024 pieces.
  virtual Status DeclareFunctions(const std::string& signatures) = 0;

  // What a call of a function has come to, as a part of the user's turn. Results and errors as for
  // AppendText, and UNIMPLEMENTED for a model that knows no functions. Leaves no trace in the transcript.
  virtual Status AppendFunctionResult(const std::string& text) = 0;

  // What the model reads before the first turn: how it is to behave, as text. It is run as soon as there is
  // time, and costs none when another sequence has begun so shortly before (EngineOptions::prefix_pages). The
  // newest counts; empty: none. No effect once a turn has opened, cleared or not, or after Restore, which
  // brings instructions along. UNIMPLEMENTED for a model that knows no instructions
  // (ModelDescription::max_instruction_pieces), unless the text is empty; INVALID_ARGUMENT, with nothing
  // changed, for a text that is not UTF-8 or has more pieces than that.
  virtual Status Instruct(const std::string& instructions) {
    if (instructions.empty()) return OkStatus();
    return Status(StatusCode::kUnimplemented, "this sequence knows no instructions");
  }

  // Ends the turn and asks for the response. An empty turn, or one already ended, makes it a no-op; `cause`
  // is reported in TurnEnded.
  virtual void EndTurn(TurnEndCause cause) = 0;

  // Forgets the open turn: the sequence is cut back to where it began. No effect on a response. TurnCleared
  // follows.
  virtual void ClearTurn() = 0;

  // Stops every response asked for so far: the one under way within one engine step, one that EndTurn asked
  // for and that has not begun as soon as it begins, before a step of it is run, whatever was called in
  // between. Each ends with ResponseDone kCancelled. What the user said stays said: input is not cancelled.
  // No effect on a response that the model may yet begin by itself when no EndTurn waits.
  virtual void Cancel() = 0;

  // The user has heard the first `frames` frames of the last response, and will hear no more of it. Stops it
  // as Cancel does if it is under way, and makes the sequence as if it had been an answer that ends there: of
  // its text only the words stay that were spoken to their end, where the model tells which (else all that
  // was written), and complete pictures and calls. ResponseCut follows. More frames than there are mean all
  // of them. No effect, and no ResponseCut, on a response that is cut already, that was not spoken, or behind
  // which a turn has opened; such a one that is under way is cancelled all the same.
  virtual void CutResponse(int frames) = 0;

  // The turn is about to end, and what was appended is all of it: the engine may begin the answer in the time
  // that is left over, speculative_steps of it, and tells nobody. An EndTurn that finds everything as it is
  // now makes it the response, of the same tokens as otherwise, only sooner; whatever is appended, run or
  // configured before that makes it void. No effect without an open turn, or when more waits behind it.
  virtual void ExpectTurnEnd() {}

  // A second sequence that stands where this one does between two steps, and goes on by itself: what was run
  // of turn, response, speech and sampling is the same in both; what waits to be run is not in the fork. They
  // share the pages of what they have in common. Options are those in force, best_effort included. Its events
  // go to the listener of this sequence, perhaps before this has returned: first_turn tells them apart.
  //
  // A fork counts against no limit of sequences, but gives way: when pages run out, forks lose theirs before
  // anything else fails. It is then, as when there were too few from the start or a text or picture was half
  // read, told InputRefused (after a response under way has ended as kFailed), and does nothing more;
  // destroy it. It may outlive this sequence.
  //
  // RESOURCE_EXHAUSTED while an earlier fork has not been destroyed, FAILED_PRECONDITION for a fork of a
  // fork, INVALID_ARGUMENT for options out of range, UNIMPLEMENTED by sequences that know no forks.
  virtual Result<std::unique_ptr<Sequence>> Fork(const ForkOptions& /*options*/) {
    return Status(StatusCode::kUnimplemented, "this sequence knows no forks");
  }

  // The playback of the response under way will soon need its first `frames` frames; more than that are not
  // made, once text and pictures are written, unless there were more unpaced_frames. Never fewer than it was
  // told before. `playback_began` is when frame 0 was played, or would have been had there been no break up
  // to where the playback is now: deadlines are counted from there. No effect between responses.
  virtual void PaceSpeech(int frames, TimePoint playback_began) = 0;

  // Asks for the sequence as bytes, from which Restore goes on with the same tokens and samples: later, in
  // another process, any number of times. Carried out in order, behind all input that was appended before, in
  // a turn and in a response too; SequenceExported follows, one for all calls that
  // wait together. Not in it: options, functions that the model has
  // not read of, video that waits, and of video that has left the context what the model had made of it. What
  // is restored counts its turns anew: the one it stands in, or whose response it was, is the first.
  virtual void Export() = 0;

  // Goes on from such bytes. Its positions are run again, as far as there is time, before anything else.
  // INVALID_ARGUMENT when they are none, UNIMPLEMENTED for those of a format not known, DATA_LOSS when they
  // are broken or stand within a response and `in_response` is false, or the other way round (then there
  // would be no end of it to wait for), FAILED_PRECONDITION when they belong to another model. `positions`,
  // if not null, receives how many there are. No effect on a sequence that has run anything or has
  // instructions.
  virtual Status Restore(std::string_view bytes, bool in_response, int* positions) = 0;
};

// Counters since the engine started, for metrics and tests. A consistent copy.
struct EngineStatistics {
  uint64_t steps = 0;
  uint64_t positions = 0;
  uint64_t spoken_frames = 0;
  uint64_t deadline_misses = 0;
  int open_sequences = 0;
  int pages_in_use = 0;
  double step_ms_average = 0;  // exponential average of a step's time
  double step_ms_total = 0;    // time spent in steps
  int pages = 0;               // of the pool
  // Steps of 1 position, of 2, of 3 or 4, of 5 to 8, and so on in powers of two; the last: of more than 512.
  std::array<uint64_t, 11> steps_by_size{};
  uint64_t forks = 0;                     // asked for of the engine's thread: Sequence::Fork
  uint64_t forks_lost = 0;                // of them, refused there or given way since
  uint64_t speculations_kept = 0;         // answers begun before their turn was over, and right
  uint64_t speculations_dropped = 0;      // ... and wrong
  uint64_t speculative_steps = 0;         // of both, and of those that are still open
  uint64_t speculative_steps_wasted = 0;  // of those dropped
  // Sequences that began as an earlier one had, and those that did not, though their beginning fills a page.
  uint64_t prefix_hits = 0;
  uint64_t prefix_misses = 0;
  uint64_t prefix_positions = 0;  // that were not run for that
  int prefix_pages = 0;           // that keep beginnings; some may be in use by sequences as well
  // Frames that had a deadline, kept or missed: heard ones that were run, spoken ones that were made. One
  // that was appended later than it was received (a voice is known for one only after it set in) has a
  // frame's time from there.
  uint64_t timed_frames = 0;
  // The cost of a step is predicted before it is run: that is what planning and admission rest on.
  double step_ms_predicted_total = 0;  // beside step_ms_total
  double step_error_ms_total = 0;      // sum of |measured - predicted|
  // Steps that took at most 0.5 times what was predicted, 0.8, 1, 1.25, 1.5, 2 and 4 times; the last: longer.
  std::array<uint64_t, 8> steps_by_prediction{};
  double admission_headroom = 1;  // by which admission multiplies what it predicts, for such errors
};

// A recorded sequence that is run again. Thread-safe. The destructor stops it and frees its pages and slot.
class SessionReplay {
 public:
  virtual ~SessionReplay() = default;
  // Waits for its end; nothing when there is none by `until`.
  virtual std::optional<ReplayOutcome> Wait(TimePoint until) const = 0;
  // Gives it up: Wait returns at once, with CANCELLED if it was not over.
  virtual void Stop() = 0;
};

// Thread-safe. Destroy every Sequence and SessionReplay first.
class Engine {
 public:
  virtual ~Engine() = default;

  // Loads the model folder, warms it up and starts the engine's thread. NOT_FOUND or DATA_LOSS (with the
  // file's name) when the folder is missing or broken, INVALID_ARGUMENT for bad options.
  static Result<std::unique_ptr<Engine>> Create(const std::string& model_folder,
                                                const EngineOptions& options);

  // RESOURCE_EXHAUSTED when max_sequences are open, or when the deadlines of those that are not best effort,
  // and of one more, could not be kept (unless keep_promises is false).
  virtual Result<std::unique_ptr<Sequence>> Open(const SequenceOptions& options,
                                                 SequenceListener listener) = 0;

  // Runs a recording (EngineOptions::record_folder) again, from its beginning, in the time that others leave,
  // and compares the tokens. INVALID_ARGUMENT when `bytes` are no recording, UNIMPLEMENTED for a format not
  // known, DATA_LOSS for a broken one, FAILED_PRECONDITION for one of another model, RESOURCE_EXHAUSTED as
  // Open. UNIMPLEMENTED too by an engine that cannot.
  virtual Result<std::unique_ptr<SessionReplay>> Replay(std::string bytes) {
    static_cast<void>(bytes);
    return Status(StatusCode::kUnimplemented, "this engine cannot run the recording");
  }

  // The picture of these codes; what is missing at the end stays blank, so that a picture can be shown while
  // it is written. Takes some 15 ms on the calling thread. INVALID_ARGUMENT for more codes than a picture has
  // or a code out of its range, UNIMPLEMENTED for a model that knows no pictures, INTERNAL when the codec
  // fails.
  virtual Result<Image> PaintImage(std::span<const int> codes) const = 0;

  virtual const ModelDescription& model() const = 0;
  virtual EngineStatistics statistics() const = 0;
};

}  // namespace antiphon
