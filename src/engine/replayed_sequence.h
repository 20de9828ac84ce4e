// A recorded session that is run again beside all others, and compared with what it was.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/kv_pages.h"
#include "engine/live_sequence.h"
#include "engine/recording.h"
#include "engine/replay_ticket.h"
#include "engine/scheduled_sequence.h"
#include "engine/sequence_state.h"

namespace antiphon {

// The arithmetic that a recording was made with, in words.
std::string ArithmeticOf(const RecordingHead& head);

// Carries out the operations of a recording in order, each at its position; steps are planned as bulk work.
// Ends with the first difference, or with an operation that does not fit where the sequence stands: whatever
// a recording says, it asks nothing of the model that a live sequence could not. Engine's thread only.
class ReplayedSequence final : public ScheduledSequence {
 public:
  // `here`: the arithmetic of this engine. `close` closes gaps in this sequence's pages.
  ReplayedSequence(int64_t id, std::shared_ptr<ReplayTicket> ticket, Recording recording,
                   const std::string& here, const SequenceContext& context, GapCloser close);

  bool closed() const override { return ticket_->closed(); }
  void TakeRequests() override { Settle(); }
  std::optional<WorkItem> NextWork() const override;
  bool expendable() const override { return true; }
  [[nodiscard]] bool Reserve(int64_t rows, const PageCopier& copy, const GapCloser&) override {
    return state_.pages.Reserve(rows, copy);
  }
  StepItem BeginStep(int64_t rows) const override;
  void FinishStep(StepItem item) override;
  void FailStep(const Status& error) override { Finish(error); }

 private:
  void Settle();
  // OK, or why the operation cannot follow what was run. One that needs a step becomes `next_`.
  Status CarryOut(RecordedOperation operation);
  Status Stand(const RecordedStand& stand);
  Status Cut(int64_t length);
  Status CloseGap(const RecordedGap& gap);
  Status Fits(const RecordedOperation& operation) const;
  void Compare(const RecordedFrame& frame, const StepItem& item);
  void Compare(const RecordedAnswer& answer, const StepItem& item);
  void CompareNumber(ReplayDifference::Channel channel, int64_t position, size_t codebook, int64_t expected,
                     int64_t got);
  void CompareCodes(ReplayDifference::Channel channel, int64_t position, const std::vector<int64_t>& expected,
                    const std::vector<int64_t>& got);
  void Finish(const Status& status);

  const int64_t id_;
  const std::shared_ptr<ReplayTicket> ticket_;
  const SequenceContext& context_;
  const GapCloser close_;
  Recording recording_;
  SequenceState state_;
  SamplingOptions sampling_;
  // RecordedInputs, RecordedFrame or RecordedAnswer; nothing: it is over.
  std::optional<RecordedOperation> next_;
  int64_t done_ = 0;  // positions of RecordedInputs that were run
  TimePoint last_run_;
  ReplayOutcome outcome_;
};

}  // namespace antiphon
