#include "server/converse_call.h"

#include <algorithm>
#include <utility>

#include "antiphon/v1/conversation.grpc.pb.h"
#include "common/clock.h"
#include "server/grpc_status.h"
#include "server/messages.h"

namespace antiphon {
namespace {

constexpr int kLongestLinger = 12;  // times `linger`, however slowly the client reads

bool IsMediaOf(const std::string& response_id, const v1::ServerEvent& message) {
  return (message.has_audio_delta() && message.audio_delta().response_id() == response_id) ||
         (message.has_image_delta() && message.image_delta().response_id() == response_id) ||
         (message.has_image_done() && message.image_done().response_id() == response_id);
}

// A preview that still waits when there is more of its picture shows nobody anything.
bool Supersedes(const v1::ServerEvent& later, const v1::ServerEvent& waiting) {
  if (!waiting.has_image_delta()) return false;
  const auto same = [&](const auto& image) {
    return image.response_id() == waiting.image_delta().response_id() &&
           image.image_index() == waiting.image_delta().image_index();
  };
  return (later.has_image_delta() && same(later.image_delta())) ||
         (later.has_image_done() && same(later.image_done()));
}

}  // namespace

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
  const size_t bytes = reading_.Length();
  v1::ClientEvent message;
  if (!grpc::SerializationTraits<v1::ClientEvent>::Deserialize(&reading_, &message).ok()) {
    inbox_->Abort(InvalidArgument("the message is not a ClientEvent"));
    return;
  }
  // Otherwise gRPC's flow control holds the client back, until the session has caught up.
  if (inbox_->PushClient(FromMessage(std::move(message), received), bytes)) ReadNext();
}

void ConverseCall::OnCancel() { inbox_->Abort(Cancelled("the client is gone")); }

// ---- Writing. gRPC takes one message at a time; the others wait in the queue.

void ConverseCall::Send(ServerEvent event) {
  Unwritten unwritten{ToMessage(std::move(event)), 0};
  unwritten.bytes = unwritten.message.ByteSizeLong();
  {
    const std::lock_guard lock(mutex_);
    if (broken_ || overflowed_) return;
    if (unwritten.message.has_image_delta() || unwritten.message.has_image_done()) {
      Drop([&](const v1::ServerEvent& waiting) { return Supersedes(unwritten.message, waiting); });
    }
    if (queued_bytes_ + unwritten.bytes > max_unread_bytes_) {
      overflowed_ = true;
      queue_.clear();
      queued_bytes_ = 0;
      return;
    }
    queued_bytes_ += unwritten.bytes;
    queue_.push_back(std::move(unwritten));
    if (write_under_way_ || !TakeNext()) return;
  }
  StartWrite(&writing_);
}

bool ConverseCall::overflowed() const {
  const std::lock_guard lock(mutex_);
  return overflowed_;
}

void ConverseCall::DropMedia(const std::string& response_id) {
  const std::lock_guard lock(mutex_);
  Drop([&](const v1::ServerEvent& waiting) { return IsMediaOf(response_id, waiting); });
}

template <typename Predicate>
void ConverseCall::Drop(Predicate unwanted) {
  std::erase_if(queue_, [&](const Unwritten& unwritten) {
    if (!unwanted(unwritten.message)) return false;
    queued_bytes_ -= unwritten.bytes;
    return true;
  });
}

bool ConverseCall::TakeNext() {
  if (queue_.empty()) return false;
  Unwritten next = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= next.bytes;
  // Numbered last of all: what was dropped leaves no gap.
  next.message.set_sequence_number(++sequence_number_);
  writing_.Clear();  // a buffer must be empty to be written to
  bool own_buffer = false;
  const grpc::Status serialised =
      grpc::SerializationTraits<v1::ServerEvent>::Serialize(next.message, &writing_, &own_buffer);
  if (!serialised.ok()) {
    inbox_->Abort(Internal("an event could not be written: " + serialised.error_message()));
    return false;
  }
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

void ConverseCall::FinishAndWait(const Status& status, std::chrono::milliseconds linger) {
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
void ConverseCall::FinishNow() { Finish(ToGrpc(*end_)); }

void ConverseCall::OnDone() {
  const std::lock_guard lock(mutex_);
  done_ = true;
  done_changed_.notify_all();  // under the lock: the waiter deletes this
}

}  // namespace antiphon
