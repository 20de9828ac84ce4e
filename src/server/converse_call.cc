#include "server/converse_call.h"

#include <utility>

#include "antiphon/v1/conversation.grpc.pb.h"
#include "common/clock.h"
#include "server/grpc_status.h"
#include "server/messages.h"

namespace antiphon {

ConverseCall::ConverseCall(grpc::CallbackServerContext* context, SessionInbox* inbox, size_t max_unread_bytes)
    : context_(context), inbox_(inbox), max_unread_bytes_(max_unread_bytes) {}

// ---- Reading.

void ConverseCall::ReadNext() {
  reading_.Clear();
  StartRead(&reading_);
}

void ConverseCall::OnReadDone(bool ok) {
  // Before anything else: latency counts from here.
  const TimePoint received = SystemClock::Get().Now();
  if (!ok) {
    inbox_->PushHalfClose();
    return;
  }
  v1::ClientEvent message;
  if (!grpc::SerializationTraits<v1::ClientEvent>::Deserialize(&reading_, &message).ok()) {
    inbox_->Abort(InvalidArgument("the message is not a ClientEvent"));
    return;
  }
  if (inbox_->PushClient(FromMessage(std::move(message), received))) ReadNext();
}

void ConverseCall::OnCancel() { inbox_->Abort(Cancelled("the client is gone")); }

// ---- Writing. gRPC takes one message at a time; the others wait in the queue.

void ConverseCall::Send(ServerEvent event) {
  const v1::ServerEvent message = ToMessage(std::move(event), ++sequence_number_);
  grpc::ByteBuffer bytes;
  bool own_buffer = false;
  const grpc::Status serialised =
      grpc::SerializationTraits<v1::ServerEvent>::Serialize(message, &bytes, &own_buffer);
  if (!serialised.ok()) {
    inbox_->Abort(Internal("an event could not be written: " + serialised.error_message()));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (broken_ || overflowed_) return;
    if (queued_bytes_ + bytes.Length() > max_unread_bytes_) {
      overflowed_ = true;
      queue_.clear();
      queued_bytes_ = 0;
      return;
    }
    queued_bytes_ += bytes.Length();
    queue_.push_back(std::move(bytes));
    if (write_under_way_ || !TakeNext()) return;
  }
  StartWrite(&writing_);
}

bool ConverseCall::overflowed() const {
  const std::lock_guard lock(mutex_);
  return overflowed_;
}

bool ConverseCall::TakeNext() {
  if (queue_.empty()) return false;
  writing_ = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= writing_.Length();
  write_under_way_ = true;
  return true;
}

void ConverseCall::OnWriteDone(bool ok) {
  bool write = false;
  bool finish = false;
  {
    const std::lock_guard lock(mutex_);
    write_under_way_ = false;
    if (!ok) {
      broken_ = true;
      queue_.clear();
      queued_bytes_ = 0;
    }
    write = TakeNext();
    finish = !write && end_.has_value();
  }
  if (write) {
    StartWrite(&writing_);
  } else if (finish) {
    FinishNow();
  }
}

// ---- The end.

void ConverseCall::FinishAndWait(const Status& status, std::chrono::milliseconds linger) {
  bool finish = false;
  {
    const std::lock_guard lock(mutex_);
    end_ = status;
    finish = !write_under_way_;  // and then the queue is empty as well
  }
  if (finish) FinishNow();
  std::unique_lock lock(mutex_);
  if (done_changed_.wait_for(lock, linger, [this] { return done_; })) return;
  context_->TryCancel();  // under the lock: the context is alive while OnDone has not got it
  done_changed_.wait(lock, [this] { return done_; });
}

// Called once: when end_ is set and no write is under way.
void ConverseCall::FinishNow() { Finish(ToGrpc(*end_)); }

void ConverseCall::OnDone() {
  const std::lock_guard lock(mutex_);
  done_ = true;
  done_changed_.notify_all();  // under the lock: the waiter deletes this
}

}  // namespace antiphon
