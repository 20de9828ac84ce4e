#include "client/stream.h"

#include <algorithm>
#include <string>
#include <utility>

namespace antiphon::client {
namespace {

constexpr size_t kSignalBytes = 64 * 1024;
constexpr size_t kEventBytes = 128;  // about what an event takes in memory besides its content

size_t Cost(const v1::ClientEvent& event) { return kEventBytes + event.ByteSizeLong(); }

}  // namespace

Stream::Stream(std::shared_ptr<grpc::Channel> channel, StreamSink* sink, size_t max_queued_bytes)
    : stub_(v1::ConversationService::NewStub(std::move(channel))),
      sink_(sink),
      max_queued_bytes_(max_queued_bytes) {}

Stream::~Stream() {
  context_.TryCancel();
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return state_ == State::kIdle || state_ == State::kDone; });
}

void Stream::Start() {
  stub_->async()->Converse(&context_, this);
  AddHold();
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kOpen;
  }
  StartRead(&incoming_);
  StartCall();
}

Status Stream::Check(Room room) const {
  if (state_ != State::kOpen) return FailedPrecondition("the conversation is over");
  if (finish_writing_) return FailedPrecondition("the input was finished");
  // Not added to the limit, which may be any number.
  const size_t further = room == Room::kSignal ? std::min(kSignalBytes, queued_bytes_) : 0;
  if (room == Room::kGranted || queued_bytes_ - further < max_queued_bytes_) return OkStatus();
  return ResourceExhausted(std::to_string(queued_bytes_) + " bytes wait to be sent, max_queued_bytes is " +
                           std::to_string(max_queued_bytes_));
}

Status Stream::Ready(Room room) {
  const std::lock_guard lock(mutex_);
  return Check(room);
}

Status Stream::Send(v1::ClientEvent event, Room room) {
  const std::lock_guard lock(mutex_);
  if (Status status = Check(room); !status.ok()) return status;
  queued_bytes_ += Cost(event);
  outgoing_.push_back(std::move(event));
  if (!writing_) WriteNext();
  return OkStatus();
}

void Stream::FinishWriting() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(finish_writing_, true) || state_ != State::kOpen) return;
  if (!writing_) WriteNext();
}

void Stream::WriteNext() {
  if (!outgoing_.empty()) {
    writing_ = true;
    StartWrite(&outgoing_.front());
  } else if (finish_writing_) {
    StartWritesDone();
  }
}

void Stream::ReadOn() {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kOpen) StartRead(&incoming_);
}

void Stream::OnReadDone(bool ok) {
  if (ok) {
    const TimePoint received = std::chrono::steady_clock::now();
    if (sink_->OnEvent(received, std::move(incoming_))) ReadOn();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kEnding;
  }
  RemoveHold();
}

void Stream::OnWriteDone(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  if (!ok) {  // The call is broken; why comes with OnDone.
    outgoing_.clear();
    queued_bytes_ = 0;
    return;
  }
  queued_bytes_ -= Cost(outgoing_.front());
  outgoing_.pop_front();
  if (state_ == State::kOpen) WriteNext();
}

void Stream::OnDone(const grpc::Status& status) {
  sink_->OnEnd(status, context_);
  const std::lock_guard lock(mutex_);
  state_ = State::kDone;
  // Under the lock: a waiting destructor must not free the condition variable before it was notified.
  done_.notify_all();
}

}  // namespace antiphon::client
