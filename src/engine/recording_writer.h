// Recordings to files, on a thread of its own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "antiphon/status.h"
#include "engine/sequence_recorder.h"

namespace antiphon {

// A file a session in one folder: session-<when, UTC>-<process>-<number>.recording, readable by its owner
// only. Bytes are handed to the system as soon as the disk lets them be: when the process dies, what waited
// in its memory is lost, and what is in the file is a readable prefix. Files are never removed, nor counted.
// A file that cannot be written is given up, with a line in the log; so is one that is cut off.
class RecordingWriter final : public RecordingFolder {
 public:
  static constexpr size_t kMaxWaitingBytes = size_t{32} << 20;

  // Makes the folder if there is none. FAILED_PRECONDITION when it cannot be written to. `max_waiting_bytes`:
  // of all recordings, for the disk; beyond it Append takes nothing.
  static Result<std::unique_ptr<RecordingWriter>> Create(const std::string& folder,
                                                         size_t max_waiting_bytes = kMaxWaitingBytes);
  // Writes what waits. Destroy every sink first.
  ~RecordingWriter() override;

  std::unique_ptr<RecordingSink> Open() override;

 private:
  class Sink;
  struct Piece {
    int64_t file = 0;
    std::string bytes;
    std::optional<RecordingEnd> end;  // of the last
  };
  class File;

  RecordingWriter(std::string folder, size_t max_waiting_bytes);
  bool Append(int64_t file, std::string bytes);
  void Close(Piece last);
  void Run();
  void Write(const Piece& piece);

  const std::string folder_;
  const size_t max_waiting_bytes_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  int64_t next_file_ = 1;
  std::deque<Piece> waiting_;
  size_t waiting_bytes_ = 0;
  bool stopping_ = false;

  std::map<int64_t, std::unique_ptr<File>> files_;  // the thread's
  std::thread thread_;                              // the last member: it uses the others
};

}  // namespace antiphon
