// Writes down what one sequence runs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/recording.h"
#include "engine/recording_sink.h"
#include "engine/sequence_state.h"
#include "engine/step.h"

namespace antiphon {

// Makes a sink for each new sequence, and outlives them.
class RecordingFolder {
 public:
  virtual ~RecordingFolder() = default;
  // Any thread.
  virtual std::unique_ptr<RecordingSink> Open() = 0;
};

// How an engine records.
struct RecordingSetup {
  RecordingFolder* folder = nullptr;  // null: it does not
  RecordingHead head = {};
  int64_t max_bytes = 0;  // of one recording
};

// Learns of a sequence by looking at it before each step is committed: whatever was done to it since the step
// before (a response begun, a turn forgotten, a fork taken over) shows in its positions and in where its
// grammar stands. So whoever changes a sequence need not know that it is recorded, but for those who take
// positions out of its middle. Engine's thread only. Never throws: a recording that cannot go on ends.
class SequenceRecorder {
 public:
  // At most `max_bytes` are written, the head and the end included.
  SequenceRecorder(std::unique_ptr<RecordingSink> sink, const RecordingHead& head, int64_t max_bytes);
  ~SequenceRecorder();
  SequenceRecorder(const SequenceRecorder&) = delete;
  SequenceRecorder& operator=(const SequenceRecorder&) = delete;

  // The item was run on `state`, and Commit is next.
  void Ran(const SequenceState& state, const StepItem& item) noexcept;

  // `after` is taken over in place of `state`: a fork of it that has run these steps of an answer ahead.
  void TookOver(const SequenceState& state, const SamplingOptions& sampling,
                std::span<const RecordedAnswer> answers, const SequenceState& after) noexcept;

  // Around SequenceState::Remove: Follow before it, Removed after it has succeeded.
  void Follow(const SequenceState& state) noexcept;
  void Removed(int64_t first, int64_t rows) noexcept;

 private:
  template <typename Body>
  void Guarded(const Body& body) noexcept;
  void CatchUp(const SequenceState& state);
  void WriteStep(const SequenceState& state, const StepItem& item);
  void WriteAnswer(const SamplingOptions& sampling, const RecordedAnswer& answer);
  void WriteStand(const SequenceState& state, const StreamState& stream);
  void Write(const RecordedOperation& operation);
  void WriteBytes(std::string bytes);
  void End(RecordingEnd reason) noexcept;

  std::unique_ptr<RecordingSink> sink_;  // null: the recording has ended
  int64_t room_;                         // bytes that may still be written, the end not counted
  // As a replay stands after what was written.
  std::vector<StreamPosition> positions_;
  StreamState stream_;
  SamplingOptions sampling_;
};

// A sequence's own: a copy of the sequence is not recorded.
class RecorderSlot {
 public:
  RecorderSlot() = default;
  RecorderSlot(const RecorderSlot&) {}
  RecorderSlot& operator=(const RecorderSlot&) = delete;

  void Set(std::unique_ptr<SequenceRecorder> recorder) { recorder_ = std::move(recorder); }
  // Null: it is not recorded.
  SequenceRecorder* get() const { return recorder_.get(); }

 private:
  std::unique_ptr<SequenceRecorder> recorder_;
};

}  // namespace antiphon
