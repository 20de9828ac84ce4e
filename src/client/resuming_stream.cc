#include "client/resuming_stream.h"

#include <algorithm>
#include <utility>

namespace antiphon::client {
namespace {

// The client acknowledges after so many of either.
constexpr uint64_t kAcknowledgedEvents = 64;
constexpr size_t kAcknowledgedBytes = size_t{256} * 1024;
// How long the server has to take notice of the end.
constexpr std::chrono::milliseconds kGoodbye{500};

// What a call ends with when the network has ended it. The rest is somebody's word.
bool MayBeTheNetwork(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::INTERNAL ||
         code == grpc::StatusCode::UNKNOWN || code == grpc::StatusCode::CANCELLED;
}

}  // namespace

ResumingStream::ResumingStream(std::shared_ptr<grpc::Channel> channel, StreamSink* sink,
                               size_t max_queued_bytes, const ResumeOptions& options,
                               std::chrono::milliseconds wait_for_place)
    : channel_(std::move(channel)),
      sink_(sink),
      max_queued_bytes_(max_queued_bytes),
      options_(options),
      stream_(std::make_unique<Stream>(channel_, static_cast<StreamSink*>(this), max_queued_bytes,
                                       Stream::Method::kConverse, wait_for_place)) {}

ResumingStream::~ResumingStream() {
  Cancel();
  if (thread_.joinable()) thread_.join();
}

void ResumingStream::Start() {
  const std::lock_guard lock(mutex_);
  thread_ = std::thread(&ResumingStream::Run, this);
  stream_->Start();
  connected_ = true;
  Acknowledge();  // asks to be kept, before anything else
}

// ---- Sending

Status ResumingStream::Check(Room room) const {
  if (over_ || closing_) return FailedPrecondition("the conversation is over");
  if (finished_) return FailedPrecondition("the input was finished");
  return CheckRoom(room, kept_bytes_, max_queued_bytes_);
}

Status ResumingStream::Ready(Room room) {
  const std::lock_guard lock(mutex_);
  return keeps() ? Check(room) : stream_->Ready(room);
}

Status ResumingStream::Send(v1::ClientEvent event, Room room) {
  const std::lock_guard lock(mutex_);
  if (!keeps()) return stream_->Send(std::move(event), room);
  if (Status status = Check(room); !status.ok()) return status;
  Keep(std::move(event));
  return OkStatus();
}

void ResumingStream::Keep(v1::ClientEvent event) {
  kept_bytes_ += CostOf(event);
  // What does not get through is sent again.
  if (connected_) (void)stream_->Send(event, Room::kGranted);
  kept_.push_back(std::move(event));
}

void ResumingStream::FinishWriting() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(finished_, true)) return;
  if (!keeps()) return stream_->FinishWriting();
  v1::ClientEvent event;
  event.mutable_finish();
  Keep(std::move(event));
  Acknowledge();
}

void ResumingStream::Acknowledge() {
  if (!connected_) return;
  acknowledged_event_ = last_event_;
  unacknowledged_bytes_ = 0;
  v1::ClientEvent event;
  event.mutable_acknowledge()->set_last_event_number(last_event_);
  (void)stream_->Send(std::move(event), Room::kGranted);
}

void ResumingStream::Cancel() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(closing_, true)) return;
  if (connected_ && !token_.empty()) {
    v1::ClientEvent event;
    event.mutable_finish()->set_abandon(true);
    told_ = stream_->Send(std::move(event), Room::kGranted).ok();
  }
  changed_.notify_all();
}

// ---- Receiving

// A call that is held back cannot end, so this is always the one.
void ResumingStream::ReadOn() {
  const std::lock_guard lock(mutex_);
  if (stream_) stream_->ReadOn();
}

bool ResumingStream::OnEvent(TimePoint received, v1::ServerEvent&& event) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return true;  // read on, so that the call can end
    if (event.has_session_resumed()) {
      OnResumed(event.session_resumed().client_events());
      return true;
    }
    attempts_ = 0;
    last_event_ = event.sequence_number();
    unacknowledged_bytes_ += event.ByteSizeLong();
    if (event.has_session_created()) OnCreated(event.session_created());
    // One from before a loss comes again, and says less than the server has said since.
    const uint64_t taken = event.input_acknowledged().client_events();
    if (taken > taken_ && !Forget(taken)) return true;
    const bool due = last_event_ - acknowledged_event_ >= kAcknowledgedEvents ||
                     unacknowledged_bytes_ >= kAcknowledgedBytes || event.has_response_done() || finished_;
    if (due && !token_.empty()) Acknowledge();
  }
  return sink_->OnEvent(received, std::move(event));
}

void ResumingStream::OnCreated(const v1::SessionCreated& created) {
  created_ = true;
  token_ = created.resume_token();
  grace_ = std::chrono::milliseconds(created.resume_grace_ms());
  if (!token_.empty()) return;
  kept_.clear();
  kept_bytes_ = 0;
}

void ResumingStream::OnResumed(uint64_t taken) {
  if (!Forget(taken)) return;
  connected_ = true;
  acknowledged_event_ = last_event_;  // as Resume has said
  unacknowledged_bytes_ = 0;
  for (const v1::ClientEvent& event : kept_) (void)stream_->Send(event, Room::kGranted);
  if (finished_) Acknowledge();
  changed_.notify_all();
}

bool ResumingStream::Forget(uint64_t taken) {
  if (taken < taken_ || taken - taken_ > kept_.size()) {
    fault_ = grpc::Status(grpc::StatusCode::DATA_LOSS,
                          "the server has taken " + std::to_string(taken) + " events, which cannot be");
    stream_->Cancel();
    return false;
  }
  for (; taken_ < taken; ++taken_) {
    kept_bytes_ -= CostOf(kept_.front());
    kept_.pop_front();
  }
  return true;
}

// ---- The end of a call, and the next

void ResumingStream::OnEnd(const StreamEnd& end) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(connected_, false)) {
    lost_at_ = std::chrono::steady_clock::now();
    loss_ = end.status.error_message();
  }
  end_ = end;
  changed_.notify_all();
}

bool ResumingStream::MayResume() const {
  return !closing_ && !fault_ && !token_.empty() && !end_->session_over &&
         MayBeTheNetwork(end_->status.error_code()) && attempts_ < options_.max_attempts &&
         std::chrono::steady_clock::now() - lost_at_ < grace_;
}

void ResumingStream::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return end_ || closing_; });
    if (!end_ && told_) changed_.wait_for(lock, kGoodbye, [this] { return end_.has_value(); });
    if (!end_) CancelCall(&lock);
    changed_.wait(lock, [this] { return end_.has_value(); });
    if (!MayResume()) break;
    const auto backoff =
        std::min(options_.max_backoff, options_.first_backoff * (1 << std::min(attempts_, 16)));
    if (changed_.wait_for(lock, backoff, [this] { return closing_; })) break;
    Reconnect(&lock);
  }
  over_ = true;
  StreamEnd end = *end_;
  if (fault_) {
    end.status = *fault_;
  } else if (attempts_ > 0 && !end.status.ok() && !end.session_over) {
    end.status =
        grpc::Status(grpc::StatusCode::UNAVAILABLE, "the connection was lost (" + loss_ +
                                                        ") and not resumed: " + end.status.error_message());
  }
  lock.unlock();
  sink_->OnEnd(end);
}

void ResumingStream::Reconnect(std::unique_lock<std::mutex>* lock) {
  ++attempts_;
  std::unique_ptr<Stream> old = std::move(stream_);
  lock->unlock();
  old.reset();  // waits until it has left OnEnd
  auto next = std::make_unique<Stream>(channel_, static_cast<StreamSink*>(this), max_queued_bytes_,
                                       Stream::Method::kResume);
  lock->lock();
  end_.reset();
  stream_ = std::move(next);
  stream_->Start();
  v1::ClientEvent event;
  event.mutable_resume()->set_token(token_);
  event.mutable_resume()->set_last_event_number(last_event_);
  (void)stream_->Send(std::move(event), Room::kGranted);
  const auto answered = [this] { return connected_ || end_ || closing_; };
  if (!changed_.wait_for(*lock, options_.attempt_timeout, answered)) CancelCall(lock);
}

void ResumingStream::CancelCall(std::unique_lock<std::mutex>* lock) {
  Stream* call = stream_.get();  // which only this thread replaces
  lock->unlock();
  call->Cancel();
  lock->lock();
}

}  // namespace antiphon::client
