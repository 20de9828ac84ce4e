#include "server/writing_call.h"

#include <algorithm>
#include <utility>

#include "antiphon/v1/conversation.grpc.pb.h"
#include "antiphon/v1/generation.grpc.pb.h"
#include "server/grpc_status.h"

namespace antiphon {
namespace {

constexpr int kLongestLinger = 12;  // times `linger`, however slowly the client reads

template <typename Message>
bool IsMediaOf(const std::string& response_id, const Message& message) {
  return (message.has_audio_delta() && message.audio_delta().response_id() == response_id) ||
         (message.has_image_delta() && message.image_delta().response_id() == response_id) ||
         (message.has_image_done() && message.image_done().response_id() == response_id);
}

// A preview that still waits when there is more of its picture shows nobody anything.
template <typename Message>
bool Supersedes(const Message& later, const Message& waiting) {
  if (!waiting.has_image_delta()) return false;
  const auto same = [&](const auto& image) {
    return image.response_id() == waiting.image_delta().response_id() &&
           image.image_index() == waiting.image_delta().image_index();
  };
  return (later.has_image_delta() && same(later.image_delta())) ||
         (later.has_image_done() && same(later.image_done()));
}

void Number(uint64_t number, v1::ServerEvent* message) { message->set_sequence_number(number); }
void Number(uint64_t, v1::GenerateResponse*) {}

}  // namespace

// ---- Writing. gRPC takes one message at a time; the others wait in the queue.

template <typename Reactor, typename Message>
void WritingCall<Reactor, Message>::Queue(Message message) {
  Unwritten unwritten{std::move(message), 0};
  unwritten.bytes = unwritten.message.ByteSizeLong();
  {
    const std::lock_guard lock(mutex_);
    if (broken_ || overflowed_) return;
    if (unwritten.message.has_image_delta() || unwritten.message.has_image_done()) {
      Drop([&](const Message& waiting) { return Supersedes(unwritten.message, waiting); });
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
  this->StartWrite(&writing_);
}

template <typename Reactor, typename Message>
Status WritingCall<Reactor, Message>::fault() const {
  const std::lock_guard lock(mutex_);
  if (!overflowed_) return OkStatus();
  return ResourceExhausted("the client does not read what it is sent: over " +
                           std::to_string(max_unread_bytes_) + " bytes wait");
}

template <typename Reactor, typename Message>
void WritingCall<Reactor, Message>::DropMedia(const std::string& response_id) {
  const std::lock_guard lock(mutex_);
  Drop([&](const Message& waiting) { return IsMediaOf(response_id, waiting); });
}

template <typename Reactor, typename Message>
template <typename Predicate>
void WritingCall<Reactor, Message>::Drop(Predicate unwanted) {
  std::erase_if(queue_, [&](const Unwritten& unwritten) {
    if (!unwanted(unwritten.message)) return false;
    queued_bytes_ -= unwritten.bytes;
    return true;
  });
}

template <typename Reactor, typename Message>
bool WritingCall<Reactor, Message>::TakeNext() {
  if (queue_.empty()) return false;
  Unwritten next = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= next.bytes;
  // Numbered last of all: what was dropped leaves no gap.
  Number(++sequence_number_, &next.message);
  writing_.Clear();  // a buffer must be empty to be written to
  bool own_buffer = false;
  const grpc::Status serialised =
      grpc::SerializationTraits<Message>::Serialize(next.message, &writing_, &own_buffer);
  if (!serialised.ok()) {
    inbox_->Abort(Internal("an event could not be written: " + serialised.error_message()));
    return false;
  }
  write_under_way_ = true;
  return true;
}

template <typename Reactor, typename Message>
void WritingCall<Reactor, Message>::OnWriteDone(bool ok) {
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
    this->StartWrite(&writing_);
  } else if (finish) {
    FinishNow();
  }
}

// ---- The end.

template <typename Reactor, typename Message>
void WritingCall<Reactor, Message>::OnCancel() {
  inbox_->Abort(Cancelled("the client is gone"));
}

template <typename Reactor, typename Message>
void WritingCall<Reactor, Message>::FinishAndWait(const Status& status, std::chrono::milliseconds linger) {
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
template <typename Reactor, typename Message>
void WritingCall<Reactor, Message>::FinishNow() {
  this->Finish(ToGrpc(*end_));
}

template <typename Reactor, typename Message>
void WritingCall<Reactor, Message>::OnDone() {
  const std::lock_guard lock(mutex_);
  done_ = true;
  done_changed_.notify_all();  // under the lock: the waiter deletes this
}

template class WritingCall<grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>, v1::ServerEvent>;
template class WritingCall<grpc::ServerWriteReactor<grpc::ByteBuffer>, v1::GenerateResponse>;

}  // namespace antiphon
