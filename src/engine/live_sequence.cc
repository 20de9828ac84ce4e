#include "engine/live_sequence.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>
#include <variant>

#include "engine/sequence_options.h"

namespace antiphon {
namespace {

// Positions that come before the first piece or frame: `<bos>` or `<end>` if owed, and `<user>`. None within
// a turn.
int64_t OpeningRows(const StreamGrammar& grammar, StreamState stream) {
  std::vector<StreamPosition> opening;
  grammar.Type({}, &stream, &opening);
  return static_cast<int64_t>(opening.size());
}

// A frame shares its position with `<user>`.
int64_t HearingRows(const StreamGrammar& grammar, const StreamState& stream) {
  return std::max<int64_t>(1, OpeningRows(grammar, stream));
}

int64_t PieceCount(const SequenceRequest& request) { return static_cast<int64_t>(PiecesOf(request).size()); }

// REQUIRES: an input that is no heard frame.
TimePoint ReceivedAt(const SequenceRequest& request) {
  if (const auto* text = std::get_if<TypedText>(&request)) return text->received;
  if (const auto* image = std::get_if<ShownImage>(&request)) return image->received;
  const auto* result = std::get_if<FunctionResult>(&request);
  return result != nullptr ? result->received : std::get<FunctionDeclaration>(request).received;
}

bool EndsResponse(const SequenceRequest& request) {
  return std::holds_alternative<CancelRequest>(request) || std::holds_alternative<CutRequest>(request);
}

// Of those that its owner has posted.
int64_t PostedPieces(const SequenceRequest& request) {
  return std::holds_alternative<FunctionDeclaration>(request) ? 0 : PieceCount(request);
}

}  // namespace

LiveSequence::LiveSequence(int64_t id, std::shared_ptr<SequencePort> port, const SequenceOptions& options,
                           const SequenceContext& context)
    : id_(id),
      port_(std::move(port)),
      context_(context),
      best_effort_(options.best_effort),
      state_(&context.pages, context.codec),
      options_(Clamped(options)) {}

// ---- What could run

std::optional<WorkItem> LiveSequence::NextWork() const {
  std::optional<WorkItem> work;
  if (Speculates()) return NextSpeculation();
  if (stream().in_response() && rerun_.empty()) {
    if (IsFarEnoughAhead()) return std::nullopt;
    work = NextAnswer();
  } else if (HasWork()) {
    // Settle carried out everything else.
    assert(!rerun_.empty() || NextVideoFrame() != nullptr || IsInput(waiting_.front()));
    work = NextInput();
  }
  if (!work) return work;
  work->context = state_.length();
  return best_effort_ ? AsBulk(*work) : work;
}

bool LiveSequence::HasWork() const {
  return stream().in_response() || !rerun_.empty() || NextVideoFrame() != nullptr || !waiting_.empty();
}

bool LiveSequence::WillSpeak(StreamState stream) const {
  std::vector<StreamPosition> next;
  context_.grammar.Answer(&stream, &next);
  return next.back().speaks;
}

// It ages from when it was last served, not from when its request came: all of a recording comes at once.
WorkItem LiveSequence::AsBulk(WorkItem work) const {
  work.kind = WorkKind::kBulk;
  work.ready = std::max(last_run_, work.ready);
  return work;
}

WorkItem LiveSequence::NextAnswer() const {
  WorkItem work{.sequence = id_, .ready = last_run_, .speaks = WillSpeak(stream())};
  if (!SpeechPending()) return work;
  work.kind = spoken_frames_ == 0 ? WorkKind::kFirstAudio : WorkKind::kTimed;
  work.deadline = spoken_frames_ == 0 ? first_audio_deadline_
                                      : playback_began_ + DurationOf(spoken_samples_, context_.config);
  return work;
}

WorkItem LiveSequence::NextInput() const {
  WorkItem work{.sequence = id_};
  const VideoFrame* video = NextVideoFrame();
  const auto* frame =
      video == nullptr && rerun_.empty() ? std::get_if<HeardFrame>(&waiting_.front()) : nullptr;
  if (frame != nullptr) {
    work.kind = WorkKind::kTimed;
    work.ready = frame->received;
    work.deadline = SpokenAt(*frame) + FramePeriod(context_.config);
    work.promised = frame->given + FramePeriod(context_.config);
    work.rows = work.least_rows = HearingRows(context_.grammar, stream());
    work.hears = true;
  } else {
    const int64_t opening = rerun_.empty() ? OpeningRows(context_.grammar, stream()) : 0;
    work.ready = last_run_;
    if (rerun_.empty()) {
      work.ready = std::max(work.ready, video != nullptr ? video->received : ReceivedAt(waiting_.front()));
    }
    work.rows = opening + PiecesLeft();
    work.least_rows = opening + 1;
    // Frames of the same turn may wait behind it.
    const auto heard = std::ranges::find_if(
        waiting_, [](const SequenceRequest& request) { return std::holds_alternative<HeardFrame>(request); });
    if (heard != waiting_.end()) {
      work.kind = WorkKind::kTimed;
      work.deadline = SpokenAt(std::get<HeardFrame>(*heard)) + FramePeriod(context_.config);
    }
  }
  if (stream().in_response()) {  // restored: it goes on as soon as this is done
    const WorkItem next = NextAnswer();
    work.kind = next.kind;
    work.deadline = next.deadline;
  }
  const TurnEndRequest* turn_end = WaitingTurnEnd();
  if (turn_end != nullptr && !turn_end->cancelled && options_.speak) {
    // The user has finished already: this is the way to the first audio.
    work.kind = WorkKind::kFirstAudio;
    work.deadline = turn_end->received + context_.first_audio_target;
  }
  return work;
}

TimePoint LiveSequence::SpokenAt(const HeardFrame& frame) const {
  // A client's clock may run a little faster than ours: that must not add up to slack.
  return std::max(frame.received, heard_until_ + FramePeriod(context_.config) * 49 / 50);
}

const TurnEndRequest* LiveSequence::WaitingTurnEnd() const {
  const auto end = std::find_if(waiting_.begin(), waiting_.end(), EndsTurn);
  return end == waiting_.end() ? nullptr : &std::get<TurnEndRequest>(*end);
}

int64_t LiveSequence::PiecesLeft() const {
  if (!rerun_.empty()) return PositionsToRerun();
  const VideoFrame* video = NextVideoFrame();
  if (video != nullptr) return static_cast<int64_t>(video->pieces.size()) - video_.run();
  return PieceCount(waiting_.front()) - typed_;
}

// ---- Requests

void LiveSequence::TakeRequests() {
  std::deque<SequenceRequest> posted;
  port_->TakeRequests(&posted);
  // Who no longer wants the answer is not told of what was written ahead of it.
  if (std::any_of(posted.begin(), posted.end(), EndsResponse)) DropSpeculation();
  for (SequenceRequest& request : posted) {
    if (lost_) {
      GiveBack(std::holds_alternative<HeardFrame>(request) ? 1 : 0, PieceCount(request));
    } else if (const auto* clear = std::get_if<ClearRequest>(&request)) {
      ClearTurn();
      port_->Deliver(turn_, TurnCleared{clear->calls});
    } else if (std::holds_alternative<CancelRequest>(request)) {
      Cancel();
    } else if (const auto* cut = std::get_if<CutRequest>(&request)) {
      CutResponse(cut->frames);
    } else if (auto* fork = std::get_if<ForkRequest>(&request)) {
      Fork(std::move(*fork));
    } else if (const auto* pace = std::get_if<PaceRequest>(&request)) {
      PaceSpeech(*pace);
    } else if (auto* restore = std::get_if<RestoreRequest>(&request)) {
      Restore(std::move(restore->snapshot));
    } else if (std::holds_alternative<HeardFrame>(request) && stream().in_response()) {
      GiveBack(1, 0);
    } else if (EndsTurn(request) && stream().in_response() && std::ranges::none_of(waiting_, IsInput)) {
      // The model has ended that turn already.
    } else if (auto* video = std::get_if<VideoFrame>(&request)) {
      TakeVideoFrame(std::move(*video));
    } else {
      AppendOrMerge(std::move(request), &waiting_);
    }
    Settle();
  }
  TellRoom();
}

void LiveSequence::GiveBack(int64_t frames, int64_t pieces) {
  port_->GiveBack(frames, pieces);
  room_ += frames;
}

void LiveSequence::TellRoom() {
  if (room_ == 0) return;
  port_->Deliver(turn_, RoomForFrames{static_cast<int>(std::exchange(room_, 0))});
}

// Reaches what was asked for before it, and nothing that the model may yet begin by itself.
void LiveSequence::Cancel() {
  for (SequenceRequest& request : waiting_) {
    if (auto* turn_end = std::get_if<TurnEndRequest>(&request)) turn_end->cancelled = true;
  }
  if (stream().in_response()) EndResponse(ResponseEnd::kCancelled, OkStatus());
}

void LiveSequence::Settle() {
  do {
    while (!waiting_.empty() && SettleFront()) {
    }
  } while (DropVideoWithoutRoom());
  if (stream().in_response() && state_.length() >= context_.config.max_positions) {
    EndResponse(ResponseEnd::kIncomplete, OkStatus());
    Settle();
  }
  if (stream().in_response()) RefuseExports();
}

// Carries out the front request if it needs no model; false if it has to stay.
bool LiveSequence::SettleFront() {
  SequenceRequest& front = waiting_.front();
  if (const auto* configure = std::get_if<ConfigureRequest>(&front)) {
    DropSpeculation();
    options_ = Clamped(configure->options);
    waiting_.pop_front();
    return true;
  }
  if (std::holds_alternative<ExpectTurnEndRequest>(front)) {
    waiting_.pop_front();
    Speculate();
    return true;
  }
  if (auto* declare = std::get_if<DeclareRequest>(&front)) {
    DropSpeculation();
    functions_ = std::move(declare->pieces);
    waiting_.pop_front();
    return true;
  }
  if (auto* instruct = std::get_if<InstructRequest>(&front)) {
    Instruct(std::move(instruct->pieces));
    waiting_.pop_front();
    return true;
  }
  if (std::holds_alternative<ExportRequest>(front)) {
    if (!Export()) return false;
    waiting_.pop_front();
    return true;
  }
  if (stream().in_response()) return false;
  if (EndsTurn(front)) {
    if (stream().in_turn() && !rerun_.empty()) return false;
    if (stream().in_turn() && !turn_lost_ && NextVideoFrame() != nullptr) return false;  // still part of it
    const TurnEndRequest end = std::get<TurnEndRequest>(front);
    waiting_.pop_front();
    video_.TurnEnds();
    if (turn_lost_) {
      ForgetTurn();
    } else if (stream().in_turn()) {
      BeginResponse(end.cause, end.received, end.cancelled);
    }
    return true;
  }
  ReadInstructions();
  DeclareFunctions();
  if (HasRoomFor(waiting_.front())) return false;
  RefuseFront(ResourceExhausted("the conversation is full: it has " + std::to_string(state_.length()) +
                                " of at most " + std::to_string(context_.config.max_positions) +
                                " positions"));
  return true;
}

bool LiveSequence::HasRoomFor(const SequenceRequest& input) const {
  const int64_t room = context_.config.max_positions - state_.length();
  if (std::holds_alternative<HeardFrame>(input)) return HearingRows(context_.grammar, stream()) <= room;
  return OpeningRows(context_.grammar, stream()) + PieceCount(input) - typed_ <= room;
}

void LiveSequence::DropFront() {
  const bool frame = std::holds_alternative<HeardFrame>(waiting_.front());
  GiveBack(frame ? 1 : 0, PostedPieces(waiting_.front()));
  typed_ = 0;
  waiting_.pop_front();
}

void LiveSequence::RefuseFront(const Status& error) {
  // A microphone goes on sending: one refusal tells as much as hundreds.
  const bool frame = std::holds_alternative<HeardFrame>(waiting_.front());
  DropFront();
  turn_lost_ = true;
  if (frame && std::exchange(refusal_told_, true)) return;
  port_->Deliver(turn_, InputRefused{error});
}

void LiveSequence::ClearTurn() {
  // Only what follows the last turn end belongs to the open turn.
  std::deque<SequenceRequest> kept;
  while (!waiting_.empty() && !EndsTurn(waiting_.back())) {
    SequenceRequest& last = waiting_.back();
    if (IsInput(last)) {
      GiveBack(std::holds_alternative<HeardFrame>(last) ? 1 : 0, PostedPieces(last));
    } else {
      kept.push_front(std::move(last));
    }
    waiting_.pop_back();
  }
  const bool turn_ends_later = !waiting_.empty();
  std::move(kept.begin(), kept.end(), std::back_inserter(waiting_));
  if (!turn_ends_later) ForgetTurn();
}

void LiveSequence::ForgetTurn() {
  DropSpeculation();
  typed_ = 0;
  refusal_told_ = false;
  turn_lost_ = false;
  if (!stream().in_turn()) return;
  CutBack(length_before_turn_, before_turn_);
  video_.ForgetTurn(length_before_turn_, most_video_frames());
}

// ---- Steps

StepItem LiveSequence::BeginStep(int64_t rows) const {
  if (Speculates()) return speculation_->BeginStep();
  StepItem item;
  item.state = &state_;
  if (!rerun_.empty()) {
    item.rerun = std::span(rerun_).subspan(static_cast<size_t>(rerun_done_), static_cast<size_t>(rows));
    return item;
  }
  if (stream().in_response()) {
    item.sampling = turn_options_.sampling;
    item.words = alignment_.words();
    return item;
  }
  if (const VideoFrame* video = NextVideoFrame()) {
    const int64_t count = rows - OpeningRows(context_.grammar, stream());
    item.pieces =
        std::span(video->pieces).subspan(static_cast<size_t>(video_.run()), static_cast<size_t>(count));
    return item;
  }
  if (const auto* frame = std::get_if<HeardFrame>(&waiting_.front())) {
    item.samples = frame->samples;
    if (options_.semantic_turns) {
      item.endpoint_threshold =
          options_.endpoint_threshold > 0 ? options_.endpoint_threshold : context_.config.endpoint_threshold;
    }
    return item;
  }
  const std::span<const int64_t> pieces = PiecesOf(waiting_.front());
  const int64_t count = rows - OpeningRows(context_.grammar, stream());
  item.pieces = pieces.subspan(static_cast<size_t>(typed_), static_cast<size_t>(count));
  return item;
}

void LiveSequence::FinishStep(StepItem item) {
  if (item.state != &state_) return FinishSpeculation(std::move(item));
  const StreamState before = stream();
  const int64_t length = state_.length();
  const auto heard = item.heard;
  const auto answered = item.answered;
  const auto typed = static_cast<int64_t>(item.pieces.size());
  const auto rerun = static_cast<int64_t>(item.rerun.size());
  const bool video = NextVideoFrame() != nullptr;
  std::vector<float> speech = std::move(item.speech);
  if (answered && answered->has_frame) alignment_.AddFrame(std::move(item.word_scores));
  if (SequenceRecorder* recorder = recorder_.get()) recorder->Ran(state_, item);
  Commit(std::move(item), &state_);
  last_run_ = context_.clock.Now();

  if (answered) {
    FinishAnswer(*answered, std::move(speech));
  } else if (rerun > 0) {
    FinishRerun(rerun);
  } else {
    if (!before.in_turn()) OpenTurn(before, length);
    if (video) {
      video_.Ran(typed, state_.length());
    } else if (heard) {
      FinishFrame(*heard);
    } else {
      FinishTyping(typed);
    }
  }
  Settle();
  TellRoom();
}

void LiveSequence::FailStep(const Status& error) {
  if (Speculates()) {
    DropSpeculation();
  } else if (!rerun_.empty()) {
    const bool instructions = ReadsInstructions();
    GiveUpRerun(error);
    // They are read again before the next input: this one is not answered without them.
    if (instructions && !waiting_.empty() && IsInput(waiting_.front())) RefuseFront(error);
  } else if (stream().in_response()) {
    EndResponse(ResponseEnd::kFailed, error);
  } else if (NextVideoFrame() != nullptr) {
    RefuseVideo(error);
  } else if (!waiting_.empty()) {
    RefuseFront(error);
  }
  Settle();
  TellRoom();
}

// ---- The user's turn

void LiveSequence::OpenTurn(const StreamState& before, int64_t length) {
  ++turn_;
  before_turn_ = before;
  length_before_turn_ = length;
  response_begin_.reset();
  transcript_decoder_ = {};
  transcript_.clear();
  typed_last_ = false;
  heard_frames_ = 0;
  text_pieces_ = 0;
  texts_ = 0;
  images_ = 0;
  results_ = 0;
  function_pieces_ = 0;
  video_.BeginTurn();
  refusal_told_ = false;
}

void LiveSequence::FinishFrame(const HearingOutcome& outcome) {
  heard_until_ = SpokenAt(std::get<HeardFrame>(waiting_.front()));
  DropFront();
  ++heard_frames_;
  if (outcome.piece >= 0) Hear(outcome.piece);
  if (!outcome.turn_over) return;
  // The response that the owner has cancelled already, only sooner than it asked for it.
  const TurnEndRequest* turn_end = WaitingTurnEnd();
  BeginResponse(TurnEndCause::kModel, last_run_, turn_end != nullptr && turn_end->cancelled);
}

void LiveSequence::Hear(int64_t piece) {
  std::string delta = transcript_decoder_.Append(context_.tokenizer, piece);
  if (delta.empty()) return;
  if (std::exchange(typed_last_, false) && delta.front() != ' ') transcript_ += ' ';
  transcript_ += delta;
  port_->Deliver(turn_, TranscriptDelta{std::move(delta)});
}

void LiveSequence::FinishTyping(int64_t pieces) {
  const auto* text = std::get_if<TypedText>(&waiting_.front());
  if (text != nullptr) text_pieces_ += static_cast<int>(pieces);
  typed_ += pieces;
  if (typed_ < PieceCount(waiting_.front())) return;
  const bool result = std::holds_alternative<FunctionResult>(waiting_.front());
  if (text != nullptr) {
    FinishText(*text);
  } else if (result || std::holds_alternative<FunctionDeclaration>(waiting_.front())) {
    function_pieces_ += static_cast<int>(typed_) - 2;  // without the symbols around them
    results_ += result ? 1 : 0;
  } else {
    ++images_;
  }
  DropFront();
}

void LiveSequence::FinishText(const TypedText& text) {
  if (!transcript_.empty()) transcript_ += ' ';
  transcript_ += text.text;
  typed_last_ = true;
  ++texts_;
}

}  // namespace antiphon
