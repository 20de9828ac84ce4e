#include "client/video_stream.h"

#include <chrono>
#include <utility>

namespace antiphon::client {

VideoStream::VideoStream(Conversation& conversation, std::vector<ImageFile> frames, double fps)
    : conversation_(conversation),
      frames_(std::move(frames)),
      fps_(fps),
      start_(std::chrono::steady_clock::now()) {
  if (!frames_.empty()) (void)conversation_.SendVideoFrame(frames_.front());
  if (frames_.size() > 1) {
    thread_ = std::thread(&VideoStream::Run, this);
  } else {
    ended_ = true;
  }
}

VideoStream::~VideoStream() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void VideoStream::AwaitEnd() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ended_; });
}

void VideoStream::Run() {
  for (size_t i = 1; i < frames_.size(); ++i) {
    const std::chrono::duration<double> after(static_cast<double>(i) / fps_);
    const auto due = start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(after);
    {
      std::unique_lock lock(mutex_);
      if (changed_.wait_until(lock, due, [this] { return stopping_; })) break;
    }
    (void)conversation_.SendVideoFrame(frames_[i]);
  }
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
}

}  // namespace antiphon::client
