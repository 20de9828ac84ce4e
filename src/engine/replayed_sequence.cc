#include "engine/replayed_sequence.h"

#include <algorithm>
#include <span>
#include <utility>
#include <variant>

#include "engine/exception_status.h"

namespace antiphon {
namespace {

using Channel = ReplayDifference::Channel;

// A frame, and what has to be read before it.
int64_t HearingRows(const SequenceContext& context, StreamState stream) {
  std::vector<StreamPosition> plan;
  context.grammar.Hear(std::vector<int64_t>(context.config.codebook_sizes.size()), &stream, &plan);
  return static_cast<int64_t>(plan.size());
}

bool WillSpeak(const SequenceContext& context, StreamState stream) {
  std::vector<StreamPosition> plan;
  context.grammar.Answer(&stream, &plan);
  return plan.back().speaks;
}

Status DoesNotFit(const std::string& what, int64_t position) {
  return DataLoss("the recording does not fit together: " + what + " at position " +
                  std::to_string(position));
}

}  // namespace

std::string ArithmeticOf(const RecordingHead& head) {
  return std::string(head.weights == WeightFormat::kInt8 ? "int8" : "stored") + " weights, " + head.kernels +
         " kernels";
}

ReplayedSequence::ReplayedSequence(int64_t id, std::shared_ptr<ReplayTicket> ticket, Recording recording,
                                   const std::string& here, const SequenceContext& context, GapCloser close)
    : id_(id),
      ticket_(std::move(ticket)),
      context_(context),
      close_(std::move(close)),
      recording_(std::move(recording)),
      state_(&context.pages, context.codec),
      last_run_(context.clock.Now()) {
  outcome_.end = recording_.end();
  outcome_.recorded_with = ArithmeticOf(recording_.head());
  outcome_.replayed_with = here;
}

// ---- What could run

std::optional<WorkItem> ReplayedSequence::NextWork() const {
  if (!next_ || closed()) return std::nullopt;
  WorkItem work{.sequence = id_, .kind = WorkKind::kBulk, .ready = last_run_};
  work.context = state_.length();
  if (const auto* inputs = std::get_if<RecordedInputs>(&*next_)) {
    work.rows = static_cast<int64_t>(inputs->positions.size()) - done_;
  } else if (std::holds_alternative<RecordedFrame>(*next_)) {
    work.rows = work.least_rows = HearingRows(context_, state_.stream);
    work.hears = true;
  } else {
    work.speaks = WillSpeak(context_, state_.stream);
  }
  return work;
}

// ---- Operations

void ReplayedSequence::Settle() {
  while (!next_ && !closed()) {
    try {
      std::optional<RecordedOperation> operation = recording_.Next();
      if (!operation) return Finish(OkStatus());
      if (const Status status = CarryOut(*std::move(operation)); !status.ok()) Finish(status);
    } catch (...) {
      Finish(CurrentExceptionStatus());
    }
  }
}

Status ReplayedSequence::CarryOut(RecordedOperation operation) {
  if (const auto* stand = std::get_if<RecordedStand>(&operation)) return Stand(*stand);
  if (const auto* cut = std::get_if<RecordedCut>(&operation)) return Cut(cut->length);
  if (const auto* gap = std::get_if<RecordedGap>(&operation)) return CloseGap(*gap);
  if (const auto* sampling = std::get_if<RecordedSampling>(&operation)) {
    sampling_ = sampling->sampling;
    return OkStatus();
  }
  if (Status status = Fits(operation); !status.ok()) return status;
  if (const auto* frame = std::get_if<RecordedFrame>(&operation); frame != nullptr && frame->first) {
    state_.hearing.Reset();
  }
  next_ = std::move(operation);
  return OkStatus();
}

Status ReplayedSequence::Stand(const RecordedStand& stand) {
  state_.stream = stand.stream;
  state_.answer = stand.answer;
  if (!stand.stream.in_response() || stand.stream.response_position > 0) return OkStatus();
  state_.ResetAudio();
  if (context_.codec.has_manners()) state_.decoder.manner = stand.manner;
  return OkStatus();
}

Status ReplayedSequence::Cut(int64_t length) {
  if (length > state_.length()) return DoesNotFit("a cut to " + std::to_string(length), state_.length());
  state_.Truncate(length, state_.stream);  // where the grammar stands follows
  return OkStatus();
}

Status ReplayedSequence::CloseGap(const RecordedGap& gap) {
  if (gap.first + gap.rows > state_.length()) return DoesNotFit("a gap", state_.length());
  do {
    if (state_.Remove(gap.first, gap.rows, close_)) return OkStatus();
  } while (context_.prefixes.FreePage());
  return ResourceExhausted("the engine has no memory left to close a gap");
}

// Whether the operation runs just where the sequence stands, and the context has room.
Status ReplayedSequence::Fits(const RecordedOperation& operation) const {
  const StreamState& stream = state_.stream;
  const int64_t length = state_.length();
  int64_t position = length;
  int64_t rows = 1;
  if (const auto* inputs = std::get_if<RecordedInputs>(&operation)) {
    position = inputs->position;
    rows = static_cast<int64_t>(inputs->positions.size());
  } else if (const auto* frame = std::get_if<RecordedFrame>(&operation)) {
    if (stream.in_response()) return DoesNotFit("a frame heard in a response", length);
    rows = HearingRows(context_, stream);
    position = frame->position - (rows - 1);
  } else if (const auto* answer = std::get_if<RecordedAnswer>(&operation)) {
    if (!stream.in_response()) return DoesNotFit("an answer outside of a response", length);
    position = answer->position;
  }
  if (position != length) return DoesNotFit("a step of position " + std::to_string(position), length);
  if (length + rows > context_.config.max_positions) return DoesNotFit("more than the model reads", length);
  return OkStatus();
}

// ---- Steps

StepItem ReplayedSequence::BeginStep(int64_t rows) const {
  StepItem item;
  item.state = &state_;
  if (const auto* inputs = std::get_if<RecordedInputs>(&*next_)) {
    item.rerun = std::span(inputs->positions).subspan(static_cast<size_t>(done_), static_cast<size_t>(rows));
  } else if (const auto* frame = std::get_if<RecordedFrame>(&*next_)) {
    item.samples = frame->samples;
    item.endpoint_threshold = frame->threshold;
  } else {
    item.sampling = sampling_;
  }
  return item;
}

void ReplayedSequence::FinishStep(StepItem item) {
  const auto rows = static_cast<int64_t>(item.positions.size());
  outcome_.counts.positions += rows;
  last_run_ = context_.clock.Now();
  bool finished = true;
  if (const auto* inputs = std::get_if<RecordedInputs>(&*next_)) {
    done_ += rows;
    finished = done_ == static_cast<int64_t>(inputs->positions.size());
  } else if (const auto* frame = std::get_if<RecordedFrame>(&*next_)) {
    Compare(*frame, item);
  } else {
    Compare(std::get<RecordedAnswer>(*next_), item);
  }
  if (outcome_.difference) return Finish(OkStatus());
  Commit(std::move(item), &state_);
  if (!finished) return;
  next_.reset();
  done_ = 0;
  Settle();
}

// ---- Comparison

void ReplayedSequence::Compare(const RecordedFrame& frame, const StepItem& item) {
  ++outcome_.counts.heard_frames;
  ++outcome_.counts.symbols;
  CompareCodes(Channel::kHeard, frame.position, frame.codes, item.positions.back().heard);
  CompareNumber(Channel::kSymbol, frame.position, 0, frame.symbol, item.symbol);
}

void ReplayedSequence::Compare(const RecordedAnswer& answer, const StepItem& item) {
  ++outcome_.counts.symbols;
  outcome_.counts.spoken_frames += answer.codes.empty() ? 0 : 1;
  CompareNumber(Channel::kSymbol, answer.position, 0, answer.symbol, item.symbol);
  CompareCodes(Channel::kSpoken, answer.position, answer.codes, item.codes);
}

void ReplayedSequence::CompareCodes(Channel channel, int64_t position, const std::vector<int64_t>& expected,
                                    const std::vector<int64_t>& got) {
  const auto at = [](const std::vector<int64_t>& codes, size_t k) {
    return k < codes.size() ? codes[k] : -1;
  };
  for (size_t k = 0; k < std::max(expected.size(), got.size()); ++k) {
    CompareNumber(channel, position, k, at(expected, k), at(got, k));
  }
}

void ReplayedSequence::CompareNumber(Channel channel, int64_t position, size_t codebook, int64_t expected,
                                     int64_t got) {
  if (expected == got || outcome_.difference) return;
  outcome_.difference = ReplayDifference{.position = position,
                                         .channel = channel,
                                         .codebook = static_cast<int>(codebook),
                                         .expected = expected,
                                         .got = got};
}

void ReplayedSequence::Finish(const Status& status) {
  next_.reset();
  outcome_.status = status;
  ticket_->Finish(outcome_);
}

}  // namespace antiphon
