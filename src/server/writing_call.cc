#include "server/writing_call.h"

#include <algorithm>
#include <utility>

#include "antiphon/v1/generation.grpc.pb.h"
#include "server/grpc_status.h"

namespace antiphon {
namespace {}  // namespace

// ---- Writing. gRPC takes one message at a time; the others wait in the queue.

void WritingCall::Queue(v1::GenerateResponse message) {
  {
    const std::lock_guard lock(mutex_);
    if (broken_ || overflowed_) return;
    queue_.Push(std::move(message));
    if (queue_.bytes() > max_unread_bytes_) {
      overflowed_ = true;
      queue_.Clear();
      return;
    }
    if (write_under_way_ || !TakeNext()) return;
  }
  StartWrite(&writing_);
}

Status WritingCall::fault() const {
  const std::lock_guard lock(mutex_);
  if (!overflowed_) return OkStatus();
  return ResourceExhausted("the client does not read what it is sent: over " +
                           std::to_string(max_unread_bytes_) + " bytes wait");
}

void WritingCall::DropMedia(const std::string& response_id) {
  const std::lock_guard lock(mutex_);
  queue_.DropMedia(response_id);
}

bool WritingCall::TakeNext() {
  const std::optional<v1::GenerateResponse> next = queue_.Pop();
  if (!next) return false;
  writing_.Clear();  // a buffer must be empty to be written to
  bool own_buffer = false;
  const grpc::Status serialised =
      grpc::SerializationTraits<v1::GenerateResponse>::Serialize(*next, &writing_, &own_buffer);
  if (!serialised.ok()) {
    inbox_->Abort(Internal("an event could not be written: " + serialised.error_message()));
    return false;
  }
  write_under_way_ = true;
  return true;
}

void WritingCall::OnWriteDone(bool ok) {
  bool write = false;
  bool finish = false;
  {
    const std::lock_guard lock(mutex_);
    write_under_way_ = false;
    if (!ok) {
      broken_ = true;
      queue_.Clear();
    }
    ++writes_;
    write = TakeNext();
    finish = !write && end_.has_value();
    if (end_) done_changed_.notify_all();  // what is left is being read
  }
  if (write) {
    StartWrite(&writing_);
  } else if (finish) {
    FinishNow();
  }
}

// ---- The end.

void WritingCall::OnCancel() { inbox_->Abort(Cancelled("the client is gone")); }

void WritingCall::FinishAndWait(const Status& status, std::chrono::milliseconds linger) {
  bool finish = false;
  {
    const std::lock_guard lock(mutex_);
    end_ = status;
    finish = !write_under_way_;  // and then the queue is empty as well
  }
  if (finish) FinishNow();
  const auto give_up = std::chrono::steady_clock::now() + kLongestLinger * linger;
  std::unique_lock lock(mutex_);
  while (!done_) {
    const uint64_t writes = writes_;
    const auto deadline = std::min(std::chrono::steady_clock::now() + linger, give_up);
    if (done_changed_.wait_until(lock, deadline, [&] { return done_ || writes_ != writes; })) continue;
    context_->TryCancel();  // under the lock: the context is alive while OnDone has not got it
    break;
  }
  done_changed_.wait(lock, [this] { return done_; });
}

// Called once: when end_ is set and no write is under way.
void WritingCall::FinishNow() { Finish(ToGrpc(*end_)); }

void WritingCall::OnDone() {
  const std::lock_guard lock(mutex_);
  done_ = true;
  done_changed_.notify_all();  // under the lock: the waiter deletes this
}

}  // namespace antiphon
