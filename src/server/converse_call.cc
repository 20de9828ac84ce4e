#include "server/converse_call.h"

#include <algorithm>
#include <utility>

#include "antiphon/v1/conversation.grpc.pb.h"
#include "common/clock.h"
#include "common/logging.h"
#include "server/grpc_status.h"
#include "server/messages.h"

namespace antiphon {
namespace {

constexpr size_t kMaxEventIdBytes = 64;
// After so many of either the client is told what has been taken.
constexpr uint64_t kToldEvents = 32;
constexpr size_t kToldBytes = size_t{128} * 1024;

std::string NewToken(std::chrono::milliseconds grace) {
  if (grace <= std::chrono::milliseconds(0)) return {};
  Result<std::string> token = ResumableCalls::NewToken();
  if (token.ok()) return *std::move(token);
  LogError("a session cannot be resumed: {}", token.status().ToString());
  return {};
}

}  // namespace

ConverseCall::ConverseCall(grpc::CallbackServerContext* context, SessionInbox* inbox,
                           const ServerOptions& options, ResumableCalls& calls, SessionMetrics& metrics)
    : inbox_(inbox),
      grace_(options.resume_grace),
      token_(NewToken(options.resume_grace)),
      calls_(calls),
      metrics_(metrics),
      first_(std::make_unique<ConverseStream>(context, this)),
      log_({options.max_unread_bytes, options.max_kept_events, options.max_kept_bytes}) {}

void ConverseCall::StartToEnd() {
  const std::lock_guard lock(mutex_);
  streams_.push_back(first_.get());
  current_ = first_.release();
}

Status ConverseCall::Start() {
  StartToEnd();
  if (!token_.empty()) calls_.Add(token_, this);
  const std::lock_guard lock(mutex_);
  if (current_ == nullptr) return OkStatus();  // broken already
  current_->Read();
  if (current_->broken()) Break(current_);
  return OkStatus();
}

bool ConverseCall::resumable() const {
  const std::lock_guard lock(mutex_);
  return log_.keeps() && !end_ && log_.fault().ok();
}

std::optional<TimePoint> ConverseCall::away_until() const {
  const std::lock_guard lock(mutex_);
  return away_until_;
}

bool ConverseCall::settled() const {
  const std::lock_guard lock(mutex_);
  return !log_.keeps() || log_.settled();
}

Status ConverseCall::fault() const {
  const std::lock_guard lock(mutex_);
  return log_.fault();
}

// ---- Streams.

Status ConverseCall::Attach(ConverseStream* stream, uint64_t last_event_number) {
  const std::lock_guard lock(mutex_);
  if (end_) return NotFound("the session has ended");
  if (Status status = log_.Rewind(last_event_number); !status.ok()) return status;
  // What is still ending was replaced before: its client does not read it any more.
  for (ConverseStream* old : streams_) {
    if (old != current_) old->Cancel();
  }
  if (current_ != nullptr) {
    current_->End(grpc::Status(grpc::StatusCode::ABORTED, "another stream goes on with the session"));
  }
  EndAbsence();
  metrics_.Resumed();
  current_ = stream;
  streams_.push_back(stream);
  stream->AttachTo(this);
  greeting_.emplace().mutable_session_resumed()->set_client_events(client_events_);
  told_events_ = client_events_;
  untold_bytes_ = 0;
  if (!reading_paused_) stream->Read();
  Pump();
  if (stream->broken()) Break(stream);
  inbox_->Wake();
  return OkStatus();
}

void ConverseCall::Break(ConverseStream* stream) {
  if (stream != current_) return;
  current_ = nullptr;
  greeting_.reset();
  stream->End(grpc::Status::CANCELLED);
  if (end_) {
    log_.Clear();
  } else if (log_.keeps() && log_.fault().ok() && calls_.Detach()) {
    away_until_ = SystemClock::Get().Now() + grace_;
    metrics_.Detached();
    inbox_->Wake();
  } else {
    inbox_->Abort(Cancelled("the client is gone"));
  }
}

void ConverseCall::EndAbsence() {
  if (!away_until_) return;
  away_until_.reset();
  calls_.Return();
  metrics_.DetachedEnded();
}

void ConverseCall::OnBroken(ConverseStream* stream) {
  const std::lock_guard lock(mutex_);
  Break(stream);
}

void ConverseCall::OnStreamDone(ConverseStream* stream) {
  const std::lock_guard lock(mutex_);
  Break(stream);  // if it was not known yet
  std::erase(streams_, stream);
  done_changed_.notify_all();  // under the lock: the waiter deletes this
}

// ---- Reading.

void ConverseCall::OnRead(ConverseStream* stream, TimePoint received, grpc::ByteBuffer* bytes) {
  const size_t size = bytes->Length();
  v1::ClientEvent message;
  const bool read = grpc::SerializationTraits<v1::ClientEvent>::Deserialize(bytes, &message).ok();
  const std::lock_guard lock(mutex_);
  // Of a stream that was replaced nothing counts: its client sends it again.
  if (stream != current_) return;
  if (!read) return inbox_->Abort(InvalidArgument("the message is not a ClientEvent"));
  // Otherwise gRPC's flow control holds the client back, until the session has caught up.
  if (Take(std::move(message), received, size)) {
    stream->Read();
  } else {
    reading_paused_ = true;
  }
}

bool ConverseCall::Take(v1::ClientEvent message, TimePoint received, size_t bytes) {
  if (message.has_acknowledge()) {
    Take(message.acknowledge(), message.event_id());
    return true;
  }
  if (message.has_resume()) {
    Refuse(InvalidArgument("only the first event of a Resume call is a Resume"), "resume",
           message.event_id());
    return true;
  }
  if (message.finish().abandon()) {
    log_.Clear();
    inbox_->Abort(Cancelled("the client has left"));
    return false;
  }
  if (finished_) {
    inbox_->Abort(InvalidArgument("an event came after Finish"));
    return false;
  }
  CountInput(bytes);
  if (!message.has_finish()) return inbox_->PushClient(FromMessage(std::move(message), received), bytes);
  finished_ = true;
  inbox_->PushHalfClose();
  return true;  // for acknowledgements
}

void ConverseCall::Take(const v1::Acknowledge& acknowledge, const std::string& event_id) {
  if (token_.empty()) return;
  if (Status status = log_.Acknowledge(acknowledge.last_event_number()); !status.ok()) {
    return Refuse(std::move(status), "acknowledge.last_event_number", event_id);
  }
  log_.KeepUnacknowledged();
  if (finished_) inbox_->Wake();  // the session may be waiting for this
}

void ConverseCall::Refuse(Status mistake, std::string field, const std::string& event_id) {
  Tell(ToMessage(
      server_event::Error{{std::move(mistake), std::move(field)}, event_id.substr(0, kMaxEventIdBytes)}));
}

void ConverseCall::CountInput(size_t bytes) {
  ++client_events_;
  untold_bytes_ += bytes;
  if (!log_.keeps() || (client_events_ - told_events_ < kToldEvents && untold_bytes_ < kToldBytes)) return;
  told_events_ = client_events_;
  untold_bytes_ = 0;
  v1::ServerEvent event;
  event.mutable_input_acknowledged()->set_client_events(client_events_);
  Tell(std::move(event));
}

void ConverseCall::ResumeReading() {
  const std::lock_guard lock(mutex_);
  reading_paused_ = false;
  if (current_ != nullptr) current_->Read();
}

// Of a client that may come back the end of the writing may be that of its connection: it says Finish.
void ConverseCall::OnReadsDone(ConverseStream* stream) {
  const std::lock_guard lock(mutex_);
  if (stream == current_ && !log_.keeps() && !finished_) inbox_->PushHalfClose();
}

// ---- Writing. gRPC takes one message at a time; the others wait in the log.

void ConverseCall::Send(ServerEvent event) {
  v1::ServerEvent message = ToMessage(std::move(event));
  if (message.has_session_created() && !token_.empty()) {
    message.mutable_session_created()->set_resume_token(token_);
    message.mutable_session_created()->set_resume_grace_ms(static_cast<uint32_t>(grace_.count()));
  }
  const std::lock_guard lock(mutex_);
  Tell(std::move(message));
}

void ConverseCall::Tell(v1::ServerEvent event) {
  if (current_ == nullptr && !away_until_) return;  // nobody will hear it
  log_.Push(std::move(event));
  Pump();
}

void ConverseCall::DropMedia(const std::string& response_id) {
  const std::lock_guard lock(mutex_);
  log_.DropMedia(response_id);
}

void ConverseCall::Pump() {
  if (!log_.fault().ok()) inbox_->Wake();
  if (current_ == nullptr || current_->writing()) return;
  grpc::ByteBuffer next;
  if (greeting_) {
    bool own_buffer = false;
    // Cannot fail: it is a number.
    (void)grpc::SerializationTraits<v1::ServerEvent>::Serialize(*greeting_, &next, &own_buffer);
    greeting_.reset();
    current_->Write(std::move(next));
  } else if (log_.Next(&next)) {
    current_->Write(std::move(next));
  } else if (end_) {
    current_->EndSession(ToGrpc(*end_));
  }
  if (!log_.fault().ok()) inbox_->Wake();
}

void ConverseCall::OnWritten(ConverseStream* stream, bool ok) {
  const std::lock_guard lock(mutex_);
  ++writes_;
  if (end_) done_changed_.notify_all();  // what is left is being read
  if (stream != current_) return;
  if (ok) {
    Pump();
  } else {
    Break(stream);
  }
}

// ---- The end.

void ConverseCall::StopResuming(const Status& end) {
  if (token_.empty()) return;
  // A client that has everything but the end, or was told too much to keep, may ask for it still.
  const bool remembered = resumable() ? end.ok() : !fault().ok();
  calls_.Remove(token_, remembered ? std::optional(end) : std::nullopt, grace_);
}

void ConverseCall::FinishAndWait(const Status& status, std::chrono::milliseconds linger) {
  const auto give_up = std::chrono::steady_clock::now() + kLongestLinger * linger;
  std::unique_lock lock(mutex_);
  end_ = status;
  if (away_until_) metrics_.Expired();
  EndAbsence();
  Pump();
  while (!streams_.empty()) {
    const uint64_t writes = writes_;
    const size_t streams = streams_.size();
    const auto deadline = std::min(std::chrono::steady_clock::now() + linger, give_up);
    const auto progress = [&] { return streams_.size() != streams || writes_ != writes; };
    if (done_changed_.wait_until(lock, deadline, progress)) continue;
    for (ConverseStream* stream : streams_) stream->Cancel();
    break;
  }
  done_changed_.wait(lock, [this] { return streams_.empty(); });
}

}  // namespace antiphon
