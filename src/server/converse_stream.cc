#include "server/converse_stream.h"

#include <utility>

#include "antiphon/v1/conversation.grpc.pb.h"
#include "common/clock.h"
#include "server/converse_call.h"
#include "server/grpc_status.h"
#include "server/resumable_calls.h"

namespace antiphon {

ConverseStream::ConverseStream(grpc::CallbackServerContext* context, ResumableCalls* calls,
                               std::chrono::milliseconds patience)
    : context_(context), calls_(calls), uses_(2) {
  patience_.Set(std::chrono::system_clock::now() + patience, [this](bool over) {
    if (over && call_.load() == nullptr) {
      End(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "no Resume came in time"));
    }
    Release();
  });
  Read();
}

void ConverseStream::AttachTo(ConverseCall* call) {
  call_.store(call);
  if (calls_ != nullptr) calls_->EndWaiting();
}

void ConverseStream::Read() {
  const std::lock_guard lock(mutex_);
  if (end_) return;
  reading_.Clear();
  StartRead(&reading_);
}

void ConverseStream::OnReadDone(bool ok) {
  // Before anything else: latency counts from here.
  const TimePoint received = SystemClock::Get().Now();
  if (ConverseCall* call = call_.load()) {
    if (ok) {
      call->OnRead(this, received, &reading_);
    } else {
      call->OnReadsDone(this);
    }
  } else if (ok) {
    TakeResume();
  } else {
    End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the call ended before its Resume"));
  }
}

void ConverseStream::TakeResume() {
  v1::ClientEvent message;
  if (!grpc::SerializationTraits<v1::ClientEvent>::Deserialize(&reading_, &message).ok()) {
    return End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the message is not a ClientEvent"));
  }
  if (!message.has_resume()) {
    return End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                            "the first event of a Resume call must be a Resume"));
  }
  const Status attached =
      calls_->Attach(message.resume().token(), message.resume().last_event_number(), this);
  if (!attached.ok()) End(ToGrpc(attached));
}

void ConverseStream::Write(grpc::ByteBuffer message) {
  const std::lock_guard lock(mutex_);
  if (ended_ || end_) return;
  outgoing_ = std::move(message);
  writing_ = true;
  StartWrite(&outgoing_);
}

bool ConverseStream::writing() const {
  const std::lock_guard lock(mutex_);
  return writing_;
}

void ConverseStream::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (end_ && !std::exchange(ended_, true)) Finish(*end_);
  }
  if (ConverseCall* call = call_.load()) call->OnWritten(this, ok);
}

void ConverseStream::End(grpc::Status status) {
  const std::lock_guard lock(mutex_);
  if (end_) return;
  end_ = std::move(status);
  if (!writing_ && !std::exchange(ended_, true)) Finish(*end_);
}

void ConverseStream::EndSession(grpc::Status status) {
  {
    const std::lock_guard lock(mutex_);
    if (end_) return;
    context_->AddTrailingMetadata("session-over", "true");
  }
  End(std::move(status));
}

void ConverseStream::OnCancel() {
  broken_.store(true);  // before the call is looked for: whoever attaches the stream meanwhile looks here
  if (ConverseCall* call = call_.load()) {
    call->OnBroken(this);
  } else {
    End(grpc::Status::CANCELLED);
  }
}

void ConverseStream::OnDone() {
  if (ConverseCall* call = call_.load()) {
    call->OnStreamDone(this);
  } else {
    calls_->EndWaiting();
  }
  if (calls_ != nullptr) patience_.Cancel();
  Release();
}

void ConverseStream::Release() {
  if (uses_.fetch_sub(1) == 1) delete this;
}

}  // namespace antiphon
