#include "server/replay_call.h"

#include <chrono>
#include <exception>
#include <utility>

#include "server/grpc_status.h"

namespace antiphon {
namespace {

v1::ReplayChannel ToMessage(ReplayDifference::Channel channel) {
  switch (channel) {
    case ReplayDifference::Channel::kSymbol:
      return v1::REPLAY_CHANNEL_SYMBOL;
    case ReplayDifference::Channel::kHeard:
      return v1::REPLAY_CHANNEL_HEARD;
    case ReplayDifference::Channel::kSpoken:
      return v1::REPLAY_CHANNEL_SPOKEN;
  }
  return v1::REPLAY_CHANNEL_UNSPECIFIED;
}

v1::RecordingEnd ToMessage(RecordingEnd end) {
  switch (end) {
    case RecordingEnd::kClosed:
      return v1::RECORDING_END_CLOSED;
    case RecordingEnd::kFull:
      return v1::RECORDING_END_FULL;
    case RecordingEnd::kLost:
      return v1::RECORDING_END_LOST;
    case RecordingEnd::kBrokenOff:
      return v1::RECORDING_END_BROKEN_OFF;
  }
  return v1::RECORDING_END_UNSPECIFIED;
}

void ToMessage(const ReplayOutcome& outcome, v1::ReplayResponse* message) {
  if (const auto& difference = outcome.difference) {
    v1::ReplayDifference* to = message->mutable_difference();
    to->set_position(static_cast<uint64_t>(difference->position));
    to->set_channel(ToMessage(difference->channel));
    to->set_codebook(static_cast<uint32_t>(difference->codebook));
    to->set_expected(difference->expected);
    to->set_got(difference->got);
  }
  message->set_positions(static_cast<uint64_t>(outcome.counts.positions));
  message->set_symbols(static_cast<uint64_t>(outcome.counts.symbols));
  message->set_heard_frames(static_cast<uint64_t>(outcome.counts.heard_frames));
  message->set_spoken_frames(static_cast<uint64_t>(outcome.counts.spoken_frames));
  message->set_recording_end(ToMessage(outcome.end));
  message->set_recorded_with(outcome.recorded_with);
  message->set_replayed_with(outcome.replayed_with);
}

Status TooLate(const char* what, std::chrono::milliseconds longest) {
  return DeadlineExceeded(std::string(what) + " within " + std::to_string(longest.count()) + " ms");
}

}  // namespace

ReplayCall::ReplayCall(Engine& engine, const ServerOptions& options, grpc::CallbackServerContext* context,
                       v1::ReplayResponse* response)
    : engine_(engine), options_(options), context_(context), response_(response) {}

void ReplayCall::Run(const std::function<void()>& freed) {
  const TimePoint until = std::chrono::steady_clock::now() + options_.max_session;
  Status status;
  try {
    status = Receive(until);
    if (status.ok()) {
      const Result<ReplayOutcome> outcome = Replay(until);
      status = outcome.ok() ? outcome->status : outcome.status();
      if (status.ok()) ToMessage(*outcome, response_);
    }
  } catch (const std::exception& error) {
    status = Internal(std::string("the replay failed: ") + error.what());
  }
  if (status.code() == StatusCode::kResourceExhausted) {
    context_->AddTrailingMetadata("retry-after-ms", std::to_string(options_.retry_after.count()));
  }
  freed();
  Finish(ToGrpc(status));
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_; });
}

Status ReplayCall::Receive(TimePoint until) {
  StartRead(&piece_);
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return received_ || cancelled_; });
  if (cancelled_) return Cancelled("the client is gone");
  if (!fault_.ok()) return fault_;
  return received_ ? OkStatus() : TooLate("the recording did not come", options_.max_session);
}

Result<ReplayOutcome> ReplayCall::Replay(TimePoint until) {
  std::string bytes;
  {
    const std::lock_guard lock(mutex_);
    bytes.swap(bytes_);
  }
  Result<std::unique_ptr<SessionReplay>> begun = engine_.Replay(std::move(bytes));
  if (!begun.ok()) return begun.status();
  {
    const std::lock_guard lock(mutex_);
    replay_ = std::move(begun).value();
    if (cancelled_) replay_->Stop();
  }
  std::optional<ReplayOutcome> outcome = replay_->Wait(until);  // only this thread resets it
  std::unique_ptr<SessionReplay> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(replay_);
  }
  if (!outcome) return TooLate("the replay did not end", options_.max_session);
  return *std::move(outcome);
}

void ReplayCall::OnReadDone(bool ok) {
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    const size_t most = options_.max_replay_bytes;
    if (ok && bytes_.size() + piece_.data().size() > most) {
      fault_ = OutOfRange("the recording is larger than " + std::to_string(most) + " bytes");
      bytes_ = {};
    } else if (ok) {
      bytes_ += piece_.data();
      more = true;
    }
    received_ = !more;
    changed_.notify_all();
  }
  if (more) StartRead(&piece_);
}

void ReplayCall::OnCancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (replay_ != nullptr) replay_->Stop();
  changed_.notify_all();
}

void ReplayCall::OnDone() {
  const std::lock_guard lock(mutex_);
  done_ = true;
  changed_.notify_all();  // under the lock: the waiter deletes this
}

}  // namespace antiphon
