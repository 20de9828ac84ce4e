#include "engine/sequence_port.h"

#include <string>
#include <utility>
#include <variant>

namespace antiphon {

SequencePort::SequencePort(PortLimits limits, SequenceListener listener)
    : limits_(limits), listener_(std::move(listener)) {}

Status SequencePort::Post(SequenceRequest request) {
  const std::lock_guard lock(mutex_);
  if (std::holds_alternative<HeardFrame>(request)) {
    if (frames_ >= limits_.frames) {
      return ResourceExhausted(std::to_string(frames_) + " heard frames wait already, the most there may be");
    }
    ++frames_;
  } else {
    const auto pieces = static_cast<int64_t>(PiecesOf(request).size());  // none of a signal
    if (pieces > 0 && pieces_ + pieces > limits_.pieces) {
      return ResourceExhausted(std::to_string(pieces_) + " typed pieces wait already, at most " +
                               std::to_string(limits_.pieces) + " may");
    }
    pieces_ += pieces;
  }
  AppendOrMerge(std::move(request), &requests_);
  return OkStatus();
}

void SequencePort::Close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  listener_returned_.wait(lock, [this] { return !in_listener_; });
}

bool SequencePort::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

void SequencePort::TakeRequests(std::deque<SequenceRequest>* requests) {
  const std::lock_guard lock(mutex_);
  for (SequenceRequest& request : requests_) AppendOrMerge(std::move(request), requests);
  requests_.clear();
}

void SequencePort::GiveBack(int64_t frames, int64_t pieces) {
  const std::lock_guard lock(mutex_);
  frames_ -= frames;
  pieces_ -= pieces;
}

void SequencePort::Deliver(uint64_t turn, SequenceEvent event) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    in_listener_ = true;
  }
  struct Return {
    SequencePort* port;
    ~Return() {
      {
        const std::lock_guard lock(port->mutex_);
        port->in_listener_ = false;
      }
      port->listener_returned_.notify_all();
    }
  } const on_return{this};
  listener_(turn, std::move(event));
}

}  // namespace antiphon
