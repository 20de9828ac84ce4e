// Frames sent one after the other, as a camera would.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "antiphon/client.h"

namespace antiphon::client {

// The first frame is sent by the constructor, the others on a thread of its own. A frame that finds the
// conversation's queue full is left out; one that the server refuses is told of by the conversation. The
// destructor stops it.
class VideoStream {
 public:
  // `conversation` outlives the stream. `fps` is frames a second, above 0.
  VideoStream(Conversation& conversation, std::vector<ImageFile> frames, double fps);
  ~VideoStream();
  VideoStream(const VideoStream&) = delete;
  VideoStream& operator=(const VideoStream&) = delete;

  // Waits until the last frame has been sent.
  void AwaitEnd();

 private:
  void Run();

  Conversation& conversation_;
  const std::vector<ImageFile> frames_;
  const double fps_;
  const TimePoint start_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  bool stopping_ = false;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace antiphon::client
