#include "engine/sequence_recorder.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace antiphon {
namespace {

bool SameInputs(const StreamPosition& a, const StreamPosition& b) {
  return a.symbol == b.symbol && a.heard == b.heard && a.spoken == b.spoken;
}

auto Fields(const SamplingOptions& sampling) {
  return std::tie(sampling.temperature, sampling.top_k, sampling.top_p, sampling.repetition_penalty,
                  sampling.seed);
}

std::string EndRecord(RecordingEnd reason) { return WriteRecord(RecordedEnd{reason}); }

}  // namespace

SequenceRecorder::SequenceRecorder(std::unique_ptr<RecordingSink> sink, const RecordingHead& head,
                                   int64_t max_bytes)
    : sink_(std::move(sink)), room_(max_bytes - static_cast<int64_t>(EndRecord(RecordingEnd::kFull).size())) {
  Guarded([&] {
    WriteBytes(WriteRecordingHead(head));
    Write(RecordedSampling{sampling_});
  });
}

SequenceRecorder::~SequenceRecorder() { End(RecordingEnd::kClosed); }

template <typename Body>
void SequenceRecorder::Guarded(const Body& body) noexcept {
  if (sink_ == nullptr) return;
  try {
    body();
  } catch (...) {
    End(RecordingEnd::kLost);
  }
}

void SequenceRecorder::Ran(const SequenceState& state, const StepItem& item) noexcept {
  Guarded([&] {
    CatchUp(state);
    WriteStep(state, item);
    positions_.insert(positions_.end(), item.positions.begin(), item.positions.end());
    stream_ = item.stream;
  });
}

void SequenceRecorder::TookOver(const SequenceState& state, const SamplingOptions& sampling,
                                std::span<const RecordedAnswer> answers,
                                const SequenceState& after) noexcept {
  Guarded([&] {
    CatchUp(state);
    for (const RecordedAnswer& answer : answers) WriteAnswer(sampling, answer);
    positions_.insert(positions_.end(),
                      after.positions.begin() + static_cast<std::ptrdiff_t>(positions_.size()),
                      after.positions.end());
    stream_ = after.stream;
  });
}

void SequenceRecorder::Follow(const SequenceState& state) noexcept {
  Guarded([&] { CatchUp(state); });
}

void SequenceRecorder::Removed(int64_t first, int64_t rows) noexcept {
  Guarded([&] {
    Write(RecordedGap{.first = first, .rows = rows});
    const auto begin = positions_.begin() + first;
    positions_.erase(begin, begin + rows);
  });
}

// Between two steps that follow one another nothing has changed, and looking costs next to nothing.
void SequenceRecorder::CatchUp(const SequenceState& state) {
  if (state.positions.size() == positions_.size() && state.stream == stream_) return;
  const auto [ours, theirs] = std::ranges::mismatch(positions_, state.positions, SameInputs);
  if (ours != positions_.end()) {
    Write(RecordedCut{ours - positions_.begin()});
    positions_.erase(ours, positions_.end());
  }
  if (theirs != state.positions.end()) {
    Write(RecordedInputs{.position = theirs - state.positions.begin(),
                         .positions = {theirs, state.positions.end()}});
    positions_.insert(positions_.end(), theirs, state.positions.end());
  }
  WriteStand(state, state.stream);
  stream_ = state.stream;
}

void SequenceRecorder::WriteStep(const SequenceState& state, const StepItem& item) {
  const int64_t last = state.length() + static_cast<int64_t>(item.positions.size()) - 1;
  if (item.answers()) {
    WriteAnswer(item.sampling, {.position = last, .symbol = item.symbol, .codes = item.codes});
  } else if (!item.samples.empty()) {
    Write(RecordedFrame{.position = last,
                        .first = state.hearing.frames == 0,
                        .threshold = item.endpoint_threshold,
                        .samples = {item.samples.begin(), item.samples.end()},
                        .codes = item.positions.back().heard,
                        .symbol = item.symbol});
  } else {
    Write(RecordedInputs{.position = state.length(), .positions = item.positions});
    if (item.stream != state.stream) WriteStand(state, item.stream);
  }
}

void SequenceRecorder::WriteAnswer(const SamplingOptions& sampling, const RecordedAnswer& answer) {
  if (Fields(sampling) != Fields(sampling_)) Write(RecordedSampling{sampling_ = sampling});
  Write(answer);
}

void SequenceRecorder::WriteStand(const SequenceState& state, const StreamState& stream) {
  Write(RecordedStand{.stream = stream, .answer = state.answer, .manner = state.decoder.manner});
}

void SequenceRecorder::Write(const RecordedOperation& operation) {
  if (sink_ != nullptr) WriteBytes(WriteRecord(operation));
}

void SequenceRecorder::WriteBytes(std::string bytes) {
  const auto size = static_cast<int64_t>(bytes.size());
  if (size > room_) return End(RecordingEnd::kFull);
  room_ -= size;
  if (!sink_->Append(std::move(bytes))) End(RecordingEnd::kLost);
}

void SequenceRecorder::End(RecordingEnd reason) noexcept {
  if (sink_ == nullptr) return;
  const std::unique_ptr<RecordingSink> sink = std::move(sink_);
  try {
    sink->Close(EndRecord(reason), reason);
  } catch (...) {  // without memory for its end it is one that breaks off
  }
}

}  // namespace antiphon
