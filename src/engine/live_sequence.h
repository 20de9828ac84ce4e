// A sequence as the engine's thread sees it: the requests that wait, the turn or response under way, its
// deadlines, and what its owner is told.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "engine/planner.h"
#include "engine/prefix_cache.h"
#include "engine/scheduled_sequence.h"
#include "engine/sequence_port.h"
#include "engine/sequence_recorder.h"
#include "engine/sequence_request.h"
#include "engine/sequence_state.h"
#include "engine/speculation.h"
#include "engine/step.h"
#include "engine/video_window.h"
#include "engine/word_alignment.h"
#include "model/model_config.h"
#include "model/stream_grammar.h"
#include "model/text_tokenizer.h"

namespace antiphon {

class LiveSequence;

// What became of forks and speculations; EngineStatistics says what each means. Engine's thread only.
struct ForkCounters {
  uint64_t forks = 0;
  uint64_t forks_lost = 0;
  uint64_t speculations_kept = 0;
  uint64_t speculations_dropped = 0;
  uint64_t speculative_steps = 0;
  uint64_t speculative_steps_wasted = 0;
};

// What all sequences of an engine share. Outlives them.
struct SequenceContext {
  const ModelConfig& config;
  const StreamGrammar& grammar;
  const AudioCodec& codec;
  const TextTokenizer& tokenizer;
  const Clock& clock;
  PagePool& pages;
  PrefixCache& prefixes;
  Nanoseconds first_audio_target;
  const ModelIdentity& identity;
  int speculative_steps;
  std::vector<std::unique_ptr<LiveSequence>>& forks;  // born since the loop last took them over
  ForkCounters& counters;
};

// How long so many samples of sound last.
inline Nanoseconds DurationOf(int64_t samples, const ModelConfig& config) {
  return Nanoseconds(1'000'000'000 * samples / config.sample_rate);
}

// How long a frame of what is heard lasts.
inline Nanoseconds FramePeriod(const ModelConfig& config) { return DurationOf(config.frame_samples, config); }

// The life of a turn is the grammar's (StreamState); this class adds the requests:
//
//   between turns --frame, text or picture run--> listening --`<assistant>` written, or EndTurn--> answering
//   answering --over, cancelled, out of context, failed: ResponseDone--> between turns
//   listening --ClearTurn--> between turns, as if the turn had never begun
//
// Between turns the last response may be cut back to what was heard of it (live_sequence_cut.cc): what is
// left of it is run once more, before anything else.
//
// A sequence that is restored (live_sequence_snapshot.cc) stands where it stood at once, in a turn or a
// response too, but all its positions are yet to be run once more: `rerun_` is what is missing of them. Until
// that is done nothing else is run, and no turn ends.
//
// Requests are carried out in order; those behind the end of a turn wait for its response to end, save that
// frames heard during a response are dropped and that Cancel and ClearTurn never wait. A Cancel leaves its
// mark on the turn ends that wait when it comes. Video frames do not stand in the queue: they are run before
// what does, within a turn or when something is about to open one (live_sequence_video.cc). Of the functions
// that may be called the model reads before all else of a turn, if there is anything new
// (live_sequence_functions.cc). Before the first turn it reads its instructions, or finds them read
// (live_sequence_instructions.cc).
//
// Engine's thread only. Events are delivered during the calls.
class LiveSequence final : public ScheduledSequence {
 public:
  LiveSequence(int64_t id, std::shared_ptr<SequencePort> port, const SequenceOptions& options,
               const SequenceContext& context);

  // All that it runs from now on is written down. Call before its first step.
  void Record(std::unique_ptr<SequenceRecorder> recorder) { recorder_.Set(std::move(recorder)); }

  // The owner is gone: nothing more will be delivered, it can be destroyed.
  bool closed() const override { return port_->closed(); }

  // Takes over what was posted and carries out what needs no model.
  void TakeRequests() override;

  // What could run now; nothing while it waits for its owner.
  std::optional<WorkItem> NextWork() const override;

  // Makes room for `rows` more positions; see PageTable::Reserve. What has to leave the context before them
  // leaves it. May throw what the two throw; the step must then not be run, but FailStep called.
  [[nodiscard]] bool Reserve(int64_t rows, const PageCopier& copy, const GapCloser& close) override {
    if (Speculates()) return speculation_->Reserve(copy);
    DropSpeculation();  // what is run now stands where the answer was guessed to
    return LetVideoLeave(close) && state_.pages.Reserve(rows, copy);
  }
  // The item that runs `rows` of NextWork(). Changes nothing: the step may fail, or be tried again.
  StepItem BeginStep(int64_t rows) const override;
  // Takes the results over and tells the owner.
  void FinishStep(StepItem item) override;
  // The step came to nothing: ends the response as kFailed, or refuses the input that was to be run.
  void FailStep(const Status& error) override;

  bool expendable() const override { return is_fork_ || Speculates(); }
  // Frees the pages of an answer that was begun ahead. False: there is none.
  bool DropSpeculation();
  // Frees all pages of a fork, for good, and tells its owner why. False, and no effect, if it is no fork or
  // has none any more.
  bool GiveWay(const Status& error);

 private:
  LiveSequence(const LiveSequence&) = default;  // only Fork makes a copy

  const StreamState& stream() const { return state_.stream; }
  bool SpeechPending() const { return stream().speak && !stream().audio_over; }

  // Nothing is left of the response but speech that its playback does not need yet.
  bool IsFarEnoughAhead() const {
    return SpeechPending() && stream().text_over && spoken_frames_ >= frames_needed_;
  }

  bool HasWork() const;
  // It has nothing to run but the answer that was begun ahead.
  bool Speculates() const { return speculation_ && speculation_->wants_step() && !HasWork(); }
  bool WillSpeak(StreamState stream) const;
  WorkItem NextAnswer() const;
  WorkItem NextInput() const;
  WorkItem NextSpeculation() const;
  WorkItem AsBulk(WorkItem work) const;
  // When it was received, or, of a recording that comes faster than it plays, when it would have been spoken:
  // whoever sends a minute at once must not pass for a minute late.
  TimePoint SpokenAt(const HeardFrame& frame) const;
  const TurnEndRequest* WaitingTurnEnd() const;  // the first; null if there is none
  int64_t PiecesLeft() const;                    // of the video frame, text or picture that is next

  void Settle();
  bool SettleFront();
  void Cancel();
  void CutResponse(int64_t frames);
  void PaceSpeech(const PaceRequest& pace);
  void Fork(ForkRequest request);
  void BecomeFork(ForkRequest request);
  void Speculate();
  void FinishSpeculation(StepItem item);
  void KeepSpeculation(Speculation speculation);
  bool Export();
  void RefuseExports();
  void RestoreTurn(const TurnSnapshot& turn);
  void RestoreResponse(ResponseSnapshot response);
  void Restore(SequenceSnapshot snapshot);
  std::vector<StreamPosition> PositionsFrom(int64_t first) const;
  void CutBack(int64_t length, const StreamState& stream);
  int64_t PositionsToRerun() const { return static_cast<int64_t>(rerun_.size()) - rerun_done_; }
  void FinishRerun(int64_t positions);
  void GiveUpRerun(const Status& error);
  // Frames and pieces that were run or dropped; TellRoom tells the owner.
  void GiveBack(int64_t frames, int64_t pieces);
  void TellRoom();
  bool HasRoomFor(const SequenceRequest& input) const;
  void DropFront();
  void RefuseFront(const Status& error);
  void ClearTurn();
  void ForgetTurn();

  size_t most_video_frames() const { return static_cast<size_t>(options_.max_video_frames); }
  void TakeVideoFrame(VideoFrame frame);
  const VideoFrame* NextVideoFrame() const;  // null: something else is next
  bool HasRoomForVideo() const;
  bool DropVideoWithoutRoom();
  bool LetVideoLeave(const GapCloser& close);
  bool LetOldestVideoLeave(const GapCloser& close);
  void RefuseVideo(const Status& error);

  void Instruct(std::vector<int64_t> pieces);
  void ReadInstructions();
  void TakeKnownPrefix();
  void KeepPrefix();
  bool ReadsInstructions() const { return !rerun_.empty() && instructed_ > 0 && rerun_begin_ == 0; }

  std::vector<int64_t> FunctionsInContext() const;
  void DeclareFunctions();
  bool JustDeclared() const;

  void OpenTurn(const StreamState& before, int64_t length);
  void FinishFrame(const HearingOutcome& outcome);
  void FinishTyping(int64_t pieces);
  void FinishText(const TypedText& text);
  void Hear(int64_t piece);
  void BeginResponse(TurnEndCause cause, TimePoint ended, bool cancelled);
  void OpenResponse(SequenceState* state) const;
  bool BeginsWord(int64_t piece) const;
  void DropWaitingFrames(bool turn_end_too);
  void FinishAnswer(const AnswerOutcome& outcome, std::vector<float> speech);
  void FinishImageSymbol(const AnswerOutcome& outcome);
  void FinishCallSymbol(const AnswerOutcome& outcome);
  void EndResponse(ResponseEnd end, const Status& error);

  const int64_t id_;
  std::shared_ptr<SequencePort> port_;  // set once
  const SequenceContext& context_;
  const bool best_effort_;
  bool is_fork_ = false;
  bool answers_ = true;  // false: of a fork that only listens
  bool lost_ = false;    // a fork that gave way
  SequenceState state_;
  SequenceOptions options_;                 // the newest
  std::vector<int64_t> functions_;          // text pieces of their signatures, the newest
  std::vector<int64_t> instructions_;       // their text pieces; not those of a sequence that was restored
  int64_t instructed_ = 0;                  // positions of them and of `<bos>`, run or in rerun_
  std::optional<Speculation> speculation_;  // of exactly this state and these options
  std::deque<SequenceRequest> waiting_;
  VideoWindow video_;
  RecorderSlot recorder_;
  int64_t typed_ = 0;        // pieces of the front text, picture, declaration or result that were run
  int64_t room_ = 0;         // frames given back of which the owner has not been told
  TimePoint last_run_{};     // end of the last step it was in
  TimePoint heard_until_{};  // when the last frame that it heard was spoken

  // The open turn, or the one being answered.
  uint64_t turn_ = 0;
  StreamState before_turn_;
  int64_t length_before_turn_ = 0;
  SequenceOptions turn_options_;  // as they were when the response began
  TextDecoder transcript_decoder_;
  std::string transcript_;
  bool typed_last_ = false;  // the transcript ends in typed text
  int heard_frames_ = 0;
  int text_pieces_ = 0;
  int texts_ = 0;            // AppendText calls that are in it
  int images_ = 0;           // AppendImage calls that are in it
  int results_ = 0;          // AppendFunctionResult calls that are in it
  int function_pieces_ = 0;  // text pieces of these and of a declaration
  bool refusal_told_ = false;
  bool turn_lost_ = false;  // some of it was refused: EndTurn does not answer a turn with a hole in it

  // The response, or the one that was the last while no turn has opened.
  std::optional<int64_t> response_begin_;  // where it stands, if it may be cut: see CutResponse
  bool response_spoken_ = false;
  bool speech_over_ = false;     // its last frame is there
  std::vector<int64_t> answer_;  // its text pieces
  WordAlignment alignment_;
  std::vector<StreamPosition> rerun_;  // what is left of a cut one and has to be run once more
  int64_t rerun_done_ = 0;             // of these positions
  int64_t rerun_begin_ = 0;            // where the cut response begins
  TextDecoder answer_decoder_;
  TimePoint first_audio_deadline_{};
  TimePoint playback_began_{};                           // when frame 0 was handed out, or as PaceSpeech says
  int frames_needed_ = std::numeric_limits<int>::max();  // by its playback, as far as is known
  int spoken_frames_ = 0;
  int64_t spoken_samples_ = 0;    // of these frames: how long one lasts depends on the manner
  std::vector<int> image_codes_;  // of the picture drawn last, as far as it is written
  int drawn_images_ = 0;          // that are complete
  TextDecoder call_decoder_;
  int calls_ = 0;  // that are complete
  int call_pieces_ = 0;
};

}  // namespace antiphon
