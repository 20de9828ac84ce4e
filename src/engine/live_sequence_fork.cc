// A sequence of which there are two, for a while or for good: forks, and answers begun before their turn is
// over.
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "engine/live_sequence.h"

namespace antiphon {
namespace {

// Room that a fork must find, in positions: 2.5 s of hearing with frames of 80 ms.
constexpr int64_t kForkPositions = 32;

}  // namespace

// ---- Forks

void LiveSequence::Fork(ForkRequest request) {
  if (request.port->closed()) return;  // nobody wants it any more
  std::unique_ptr<LiveSequence> fork(new LiveSequence(*this));
  fork->BecomeFork(std::move(request));
  context_.forks.push_back(std::move(fork));
  ++context_.counters.forks;
}

void LiveSequence::BecomeFork(ForkRequest request) {
  const bool half_read = typed_ > 0 || video_.run() > 0;
  port_ = std::move(request.port);
  is_fork_ = true;
  answers_ = request.options.answers;
  waiting_.clear();  // is the original's, and so is the room that it takes
  typed_ = 0;
  room_ = 0;
  speculation_.reset();
  const bool turn_under_way = stream().in_turn() || stream().in_response();
  turn_ = request.options.first_turn - (turn_under_way ? 0 : 1);
  if (half_read) {
    GiveWay(FailedPrecondition("a sequence is not forked while a text or a picture is half read"));
    return;
  }
  if (request.options.heard_frames) CutResponse(*request.options.heard_frames);
  const int64_t rows = PositionsToRerun() + kForkPositions;
  while (state_.pages.PagesNeeded(rows) > context_.pages.free_pages() && context_.prefixes.FreePage()) {
  }
  if (state_.pages.PagesNeeded(rows) > context_.pages.free_pages()) {
    GiveWay(ResourceExhausted("the engine has no memory left for a fork"));
  }
}

bool LiveSequence::GiveWay(const Status& error) {
  if (!is_fork_ || lost_) return false;
  if (stream().in_response()) EndResponse(ResponseEnd::kFailed, error);
  lost_ = true;
  while (!waiting_.empty()) DropFront();
  typed_ = 0;
  rerun_.clear();
  rerun_done_ = 0;
  response_begin_.reset();
  video_ = {};
  state_.Truncate(0, {});
  ++context_.counters.forks_lost;
  port_->Deliver(turn_, InputRefused{error});
  TellRoom();
  return true;
}

// ---- Speculation

void LiveSequence::Speculate() {
  DropSpeculation();
  const bool at_rest = waiting_.empty() && NextVideoFrame() == nullptr && rerun_.empty();
  if (context_.speculative_steps == 0 || !stream().in_turn() || turn_lost_ || !at_rest) return;
  SequenceState state = state_;
  OpenResponse(&state);
  speculation_.emplace(std::move(state), options_.sampling, context_.speculative_steps,
                       context_.config.max_positions);
}

bool LiveSequence::DropSpeculation() {
  if (!speculation_) return false;
  const auto steps = static_cast<uint64_t>(speculation_->steps());
  context_.counters.speculations_dropped += steps > 0 ? 1 : 0;
  context_.counters.speculative_steps_wasted += steps;
  speculation_.reset();
  return true;
}

// Never before anybody's due work, however long it waits: it is worth nothing by then.
WorkItem LiveSequence::NextSpeculation() const {
  return {.sequence = id_,
          .kind = WorkKind::kBulk,
          .ready = context_.clock.Now(),
          .speaks = WillSpeak(speculation_->state().stream),
          .context = speculation_->state().length()};
}

void LiveSequence::FinishSpeculation(StepItem item) {
  const int64_t piece = item.answered->piece;
  speculation_->FinishStep(std::move(item));
  if (piece >= 0 && BeginsWord(piece)) speculation_->AddWord(piece);
  ++context_.counters.speculative_steps;
}

// The response has begun, and goes on behind what was written ahead of it.
void LiveSequence::KeepSpeculation(Speculation speculation) {
  if (speculation.steps() == 0) return;
  ++context_.counters.speculations_kept;
  SequenceState after = speculation.TakeState();
  std::vector<Speculation::Written> steps = speculation.TakeWritten();
  if (SequenceRecorder* recorder = recorder_.get()) {
    std::vector<RecordedAnswer> answers;
    for (const Speculation::Written& written : steps) answers.push_back(written.answer);
    recorder->TookOver(state_, turn_options_.sampling, answers, after);
  }
  state_ = std::move(after);
  for (Speculation::Written& written : steps) {
    if (written.outcome.has_frame) alignment_.AddFrame(std::move(written.word_scores));
    FinishAnswer(written.outcome, std::move(written.speech));
  }
}

}  // namespace antiphon
