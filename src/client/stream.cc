#include "client/stream.h"

#include <string>
#include <utility>

namespace antiphon::client {

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

Status Stream::CheckOpen() const {
  if (state_ != State::kOpen) return FailedPrecondition("the conversation is over");
  if (finish_writing_) return FailedPrecondition("the input was finished");
  return OkStatus();
}

Status Stream::Ready() {
  const std::lock_guard lock(mutex_);
  if (Status status = CheckOpen(); !status.ok()) return status;
  if (queued_bytes_ < max_queued_bytes_) return OkStatus();
  return ResourceExhausted(std::to_string(queued_bytes_) + " bytes wait to be sent, max_queued_bytes is " +
                           std::to_string(max_queued_bytes_));
}

Status Stream::Send(v1::ClientEvent event) {
  const std::lock_guard lock(mutex_);
  if (Status status = CheckOpen(); !status.ok()) return status;
  queued_bytes_ += event.ByteSizeLong();
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
  queued_bytes_ -= outgoing_.front().ByteSizeLong();
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
