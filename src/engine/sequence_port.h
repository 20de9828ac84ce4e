// The only place where the owner of a sequence and the engine's thread meet: requests in, events out.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "antiphon/engine.h"
#include "antiphon/status.h"
#include "engine/sequence_request.h"

namespace antiphon {

// What may wait in a port and in the engine behind it.
struct PortLimits {
  int64_t frames = 256;   // heard
  int64_t pieces = 4096;  // typed, and of pictures
};

// Owner's side: Post and Close, from one thread at a time. Engine's side: the rest, from the engine's thread.
// The listener runs without a lock held. Neither side ever waits for the other, but for Close, which waits
// for a listener call that is running: closing from the listener itself would wait for ever.
class SequencePort {
 public:
  SequencePort(PortLimits limits, SequenceListener listener);
  SequencePort(const SequencePort&) = delete;
  SequencePort& operator=(const SequencePort&) = delete;

  // RESOURCE_EXHAUSTED, with nothing taken, when a frame, text or picture finds its limit reached. Signals
  // are always taken; repeated ones do not pile up (see AppendOrMerge).
  Status Post(SequenceRequest request);
  // The port of a fork: of the same limits and the same listener.
  std::shared_ptr<SequencePort> Fork() const { return std::make_shared<SequencePort>(limits_, listener_); }
  // After this no listener call begins or is running.
  void Close();

  bool closed() const;
  // What was posted, oldest first, to the end of `requests`. It counts against the limits until given back.
  void TakeRequests(std::deque<SequenceRequest>* requests);
  // Frames and pieces taken have been run or dropped.
  void GiveBack(int64_t frames, int64_t pieces);
  // Calls the listener, unless closed.
  void Deliver(uint64_t turn, SequenceEvent event);

 private:
  const PortLimits limits_;
  const SequenceListener listener_;

  mutable std::mutex mutex_;
  std::condition_variable listener_returned_;
  // Guarded by mutex_.
  std::deque<SequenceRequest> requests_;
  int64_t frames_ = 0;  // posted and not given back
  int64_t pieces_ = 0;
  bool closed_ = false;
  bool in_listener_ = false;
};

}  // namespace antiphon
