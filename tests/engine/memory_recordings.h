// Recordings in memory, for tests that make some and read them at once.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/recording.h"
#include "engine/recording_sink.h"
#include "engine/sequence_recorder.h"

namespace antiphon {

struct MemoryRecording {
  std::string bytes;
  std::optional<RecordingEnd> end;  // nothing: it goes on
};

// In the order in which they were opened.
class MemoryRecordings final : public RecordingFolder {
 public:
  // Each takes `room` bytes, and no more.
  explicit MemoryRecordings(size_t room = std::numeric_limits<size_t>::max()) : room_(room) {}

  std::unique_ptr<RecordingSink> Open() override {
    recordings_.push_back(std::make_shared<MemoryRecording>());
    return std::make_unique<Sink>(recordings_.back(), room_);
  }
  size_t size() const { return recordings_.size(); }
  const MemoryRecording& at(size_t i) const { return *recordings_.at(i); }

 private:
  class Sink final : public RecordingSink {
   public:
    Sink(std::shared_ptr<MemoryRecording> recording, size_t room)
        : recording_(std::move(recording)), room_(room) {}
    bool Append(std::string bytes) override {
      if (recording_->bytes.size() + bytes.size() > room_) return false;
      recording_->bytes += bytes;
      return true;
    }
    void Close(std::string bytes, RecordingEnd reason) override {
      recording_->bytes += bytes;
      recording_->end = reason;
    }

   private:
    const std::shared_ptr<MemoryRecording> recording_;
    const size_t room_;
  };

  const size_t room_;
  std::vector<std::shared_ptr<MemoryRecording>> recordings_;
};

}  // namespace antiphon
