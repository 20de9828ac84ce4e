// A Sequence that does nothing but remember what it was asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "antiphon/engine.h"

namespace antiphon {

struct SequenceRecord {
  struct Frame {
    std::vector<float> samples;
    TimePoint received;
  };
  std::vector<SequenceOptions> options;
  std::vector<Frame> frames;
  std::vector<std::string> texts;
  std::vector<Image> images;
  std::vector<Image> video;
  size_t texts_at_video = 0;  // how many texts there were when the first frame of video came; likewise
  size_t frames_at_video = 0;
  std::vector<TurnEndCause> ends;
  int clears = 0;
  std::vector<int> cuts;  // frames heard, of each
  struct Pace {
    int frames = 0;
    TimePoint playback_began;
  };
  std::vector<Pace> paces;
  // The frames it had taken when the end of the turn was expected, of each time.
  std::vector<size_t> end_expected;
  // What Fork returns, and the forks.
  Status fork_result{StatusCode::kUnimplemented, "this sequence knows no forks"};
  struct Fork {
    ForkOptions options;
    std::shared_ptr<SequenceRecord> record;
  };
  std::vector<Fork> forks;
  int exports = 0;
  std::vector<std::string> restored;
  std::vector<std::string> declared;  // signatures of functions
  std::vector<std::string> results;   // of functions
  std::vector<std::string> instructions;
  bool freed = false;
  // What the next appends return.
  Status append_result;
  // Frames that are taken before the next is refused for want of room.
  size_t room = SIZE_MAX;
};

class RecordingSequence final : public Sequence {
 public:
  explicit RecordingSequence(std::shared_ptr<SequenceRecord> record) : record_(std::move(record)) {}
  ~RecordingSequence() override { record_->freed = true; }

  void Configure(const SequenceOptions& options) override { record_->options.push_back(options); }
  Status AppendFrame(std::span<const float> samples, TimePoint received) override {
    if (!record_->append_result.ok()) return record_->append_result;
    if (record_->room == 0) return ResourceExhausted("no room for a frame");
    --record_->room;
    record_->frames.push_back({{samples.begin(), samples.end()}, received});
    return OkStatus();
  }
  Status AppendText(const std::string& text) override {
    if (record_->append_result.ok()) record_->texts.push_back(text);
    return record_->append_result;
  }
  Status AppendImage(const Image& image) override {
    if (record_->append_result.ok()) record_->images.push_back(image);
    return record_->append_result;
  }
  Status AppendVideoFrame(const Image& image) override {
    if (!record_->append_result.ok()) return record_->append_result;
    if (record_->video.empty()) {
      record_->texts_at_video = record_->texts.size();
      record_->frames_at_video = record_->frames.size();
    }
    record_->video.push_back(image);
    return OkStatus();
  }
  Status DeclareFunctions(const std::string& signatures) override {
    record_->declared.push_back(signatures);
    return OkStatus();
  }
  Status AppendFunctionResult(const std::string& text) override {
    if (record_->append_result.ok()) record_->results.push_back(text);
    return record_->append_result;
  }
  Status Instruct(const std::string& instructions) override {
    if (record_->append_result.ok()) record_->instructions.push_back(instructions);
    return record_->append_result;
  }
  void EndTurn(TurnEndCause cause) override { record_->ends.push_back(cause); }
  void ClearTurn() override { ++record_->clears; }
  void Cancel() override {}
  void CutResponse(int frames) override { record_->cuts.push_back(frames); }
  void PaceSpeech(int frames, TimePoint playback_began) override {
    record_->paces.push_back({frames, playback_began});
  }
  void ExpectTurnEnd() override { record_->end_expected.push_back(record_->frames.size()); }
  Result<std::unique_ptr<Sequence>> Fork(const ForkOptions& options) override {
    if (!record_->fork_result.ok()) return record_->fork_result;
    record_->forks.push_back({options, std::make_shared<SequenceRecord>()});
    return std::unique_ptr<Sequence>(std::make_unique<RecordingSequence>(record_->forks.back().record));
  }
  void Export() override { ++record_->exports; }
  Status Restore(std::string_view bytes, bool /*in_response*/, int* positions) override {
    if (!record_->append_result.ok()) return record_->append_result;
    record_->restored.emplace_back(bytes);
    *positions = 7;
    return OkStatus();
  }

 private:
  const std::shared_ptr<SequenceRecord> record_;
};

}  // namespace antiphon
