#include "client/stream.h"

#include <utility>

#include "client/grpc_status.h"

namespace antiphon::client {
Stream::Stream(std::shared_ptr<grpc::Channel> channel, StreamSink* sink, size_t max_queued_bytes,
               Method method, std::chrono::milliseconds wait_for_place)
    : stub_(v1::ConversationService::NewStub(std::move(channel))),
      sink_(sink),
      max_queued_bytes_(max_queued_bytes),
      method_(method) {
  WaitForPlace(wait_for_place, &context_);
}

Stream::~Stream() {
  context_.TryCancel();
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return state_ == State::kIdle || state_ == State::kDone; });
}

void Stream::Start() {
  if (method_ == Method::kResume) {
    stub_->async()->Resume(&context_, this);
  } else {
    stub_->async()->Converse(&context_, this);
  }
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
  return CheckRoom(room, queued_bytes_, max_queued_bytes_);
}

Status Stream::Ready(Room room) {
  const std::lock_guard lock(mutex_);
  return Check(room);
}

Status Stream::Send(v1::ClientEvent event, Room room) {
  const std::lock_guard lock(mutex_);
  if (Status status = Check(room); !status.ok()) return status;
  queued_bytes_ += CostOf(event);
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
  queued_bytes_ -= CostOf(outgoing_.front());
  outgoing_.pop_front();
  if (state_ == State::kOpen) WriteNext();
}

void Stream::OnDone(const grpc::Status& status) {
  const bool session_over = context_.GetServerTrailingMetadata().count("session-over") > 0;
  sink_->OnEnd({status, RetryAfter(context_), session_over});
  const std::lock_guard lock(mutex_);
  state_ = State::kDone;
  // Under the lock: a waiting destructor must not free the condition variable before it was notified.
  done_.notify_all();
}

}  // namespace antiphon::client
