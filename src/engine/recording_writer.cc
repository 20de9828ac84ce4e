#include "engine/recording_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/logging.h"

namespace antiphon {

// An open file; a broken one takes everything and keeps nothing.
class RecordingWriter::File {
 public:
  explicit File(std::string path)
      : path_(std::move(path)),
        descriptor_(open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR)) {
    if (descriptor_ < 0) {
      Fail();
    } else {
      LogInfo("recording a session to {}", path_);
    }
  }
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void Write(const std::string& bytes) {
    for (size_t done = 0; descriptor_ >= 0 && done < bytes.size();) {
      const ssize_t wrote = write(descriptor_, bytes.data() + done, bytes.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return Fail();
      done += static_cast<size_t>(wrote);
    }
    bytes_ += bytes.size();
  }

  void TellEnd(RecordingEnd reason) const {
    if (descriptor_ < 0) return;
    if (reason == RecordingEnd::kFull) {
      LogWarning("the recording {} is cut off: it has {} bytes, and more would be over its limit", path_,
                 bytes_);
    } else if (reason == RecordingEnd::kLost) {
      LogWarning("the recording {} is cut off after {} bytes: the disk does not keep up", path_, bytes_);
    }
  }

 private:
  void Fail() {
    LogError("the recording {} cannot be written: {}", path_, std::strerror(errno));
    if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  }

  const std::string path_;
  int descriptor_;  // -1: broken
  size_t bytes_ = 0;
};

class RecordingWriter::Sink final : public RecordingSink {
 public:
  Sink(RecordingWriter* writer, int64_t file) : writer_(writer), file_(file) {}

  bool Append(std::string bytes) override { return writer_->Append(file_, std::move(bytes)); }
  void Close(std::string bytes, RecordingEnd reason) override {
    writer_->Close({file_, std::move(bytes), reason});
  }

 private:
  RecordingWriter* const writer_;
  const int64_t file_;
};

namespace {

std::string PathOf(const std::string& folder, int64_t number) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char when[32];
  std::strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &utc);
  return folder + "/session-" + when + "-" + std::to_string(getpid()) + "-" + std::to_string(number) +
         ".recording";
}

}  // namespace

Result<std::unique_ptr<RecordingWriter>> RecordingWriter::Create(const std::string& folder,
                                                                 size_t max_waiting_bytes) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder, error) || access(folder.c_str(), W_OK | X_OK) != 0) {
    return FailedPrecondition("record_folder: " + folder + " is no folder that can be written to");
  }
  return std::unique_ptr<RecordingWriter>(new RecordingWriter(folder, max_waiting_bytes));
}

RecordingWriter::RecordingWriter(std::string folder, size_t max_waiting_bytes)
    : folder_(std::move(folder)), max_waiting_bytes_(max_waiting_bytes), thread_([this] { Run(); }) {}

RecordingWriter::~RecordingWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

std::unique_ptr<RecordingSink> RecordingWriter::Open() {
  const std::lock_guard lock(mutex_);
  return std::make_unique<Sink>(this, next_file_++);
}

bool RecordingWriter::Append(int64_t file, std::string bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_bytes_ + bytes.size() > max_waiting_bytes_) return false;
    waiting_bytes_ += bytes.size();
    waiting_.push_back({file, std::move(bytes), std::nullopt});
  }
  changed_.notify_one();
  return true;
}

void RecordingWriter::Close(Piece last) {
  {
    const std::lock_guard lock(mutex_);
    waiting_bytes_ += last.bytes.size();
    waiting_.push_back(std::move(last));
  }
  changed_.notify_one();
}

void RecordingWriter::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;  // stopping, and all is written
    const Piece piece = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    try {
      Write(piece);
    } catch (const std::exception& error) {
      LogError("a recording cannot be written: {}", error.what());
    }
    lock.lock();
    waiting_bytes_ -= piece.bytes.size();  // only now: what is being written is in memory still
  }
}

void RecordingWriter::Write(const Piece& piece) {
  std::unique_ptr<File>& file = files_[piece.file];
  if (file == nullptr) file = std::make_unique<File>(PathOf(folder_, piece.file));
  file->Write(piece.bytes);
  if (!piece.end) return;
  file->TellEnd(*piece.end);
  files_.erase(piece.file);
}

}  // namespace antiphon
