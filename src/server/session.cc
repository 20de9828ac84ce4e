#include "server/session.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <random>
#include <span>
#include <utility>

#include "common/logging.h"

namespace antiphon {
namespace {

constexpr std::chrono::milliseconds kTick{50};
constexpr std::chrono::hours kNever{24 * 365};

std::string NewSessionId() {
  std::random_device random;
  const uint64_t number = (static_cast<uint64_t>(random()) << 32) | random();
  return fmt::format("session-{:016x}", number);
}

std::string Seconds(std::chrono::milliseconds duration) {
  return fmt::format("{} s", static_cast<double>(duration.count()) / 1000.0);
}

}  // namespace

Session::Session(Engine& engine, const ServerOptions& options, SessionKind kind, ServerMetrics& metrics,
                 const CallMaker& make_call)
    : engine_(engine),
      id_(NewSessionId()),
      options_(options),
      kind_(kind),
      opened_(SystemClock::Get().Now()),
      last_client_event_(opened_),
      inbox_({options.max_waiting_events, options.max_waiting_bytes, options.max_waiting_results}),
      metrics_(metrics.sessions),
      call_(make_call(&inbox_)),
      sink_(kind, metrics.turns, *call_) {}

Status Session::Enter() {
  const bool generates = kind_ == SessionKind::kGeneration;
  auto sequence = engine_.Open({.best_effort = generates}, [this](uint64_t turn, SequenceEvent event) {
    inbox_.PushEngine(turn, std::move(event));
  });
  if (!sequence.ok()) return sequence.status();
  ConversationOptions conversation;
  conversation.session_id = id_;
  conversation.longest_turn = options_.longest_turn;
  conversation.words_interrupt = options_.words_interrupt;
  // The length of a request is bounded already, and what its client calls speech is no noise.
  if (generates) conversation.longest_turn = conversation.noise_timeout = kNever;
  conversation.max_session_seconds = static_cast<int>(options_.max_session.count() / 1000);
  auto made = Conversation::Create(
      std::move(conversation), engine_.model(), std::move(*sequence),
      [this](std::span<const int> codes) { return engine_.PaintImage(codes); }, SystemClock::Get(), sink_);
  if (!made.ok()) return made.status();
  conversation_ = std::move(*made);
  return OkStatus();
}

std::optional<Status> Session::GivenUp() {
  if (call_->gone()) return Cancelled("the client is gone");
  return inbox_.Wait(SystemClock::Get().Now(), /*accepts_client=*/false).abort;
}

void Session::Refuse(const Status& status) {
  call_->StartToEnd();
  call_->StopResuming(status);
  call_->FinishAndWait(status, options_.linger);
}

void Session::Run(const std::function<void()>& freed) {
  LogInfo("{} begins", id_);
  opened_ = last_client_event_ = SystemClock::Get().Now();
  metrics_.Opened(kind_);
  Status end;
  try {
    end = call_->Start();
    if (end.ok()) end = Converse();
  } catch (const std::exception& error) {
    LogError("{}: {}", id_, error.what());
    end = Internal("a fault of the server ended the session");
  }
  call_->StopResuming(end);  // before anybody can know that it has ended
  conversation_.reset();
  freed();
  metrics_.Ended(kind_, end.code(), SystemClock::Get().Now() - opened_);  // before the client knows
  call_->FinishAndWait(end, options_.linger);
  LogInfo("{} ended: {}", id_, end.ToString());
}

Status Session::Converse() {
  conversation_->Start();
  while (true) {
    const bool answering = response_due();
    const TimePoint wake = NextWake(SystemClock::Get().Now());
    SessionInbox::Batch batch = inbox_.Wait(wake, conversation_->accepts_input());
    if (batch.abort) return *batch.abort;
    LookForClient();
    for (size_t i = 0; i < batch.client_inputs && conversation_->accepts_input(); ++i) {
      SessionInbox::Taken taken = inbox_.TakeClient();
      if (taken.resume_reading) call_->ResumeReading();
      Handle(std::move(taken.input));
    }
    for (EngineInput& result : batch.results) {
      conversation_->OnEngineEvent(result.turn, std::move(result.event));
    }
    // Speech first: the next round takes what the engine has said meanwhile, and only a round without any
    // paints.
    if (batch.results.empty() && conversation_->wants_to_paint()) conversation_->Paint();
    if (batch.draining) conversation_->StopPacing();
    // For who is away time stands still: it cannot be silent, and what was sent ahead of it is not played.
    const bool due = conversation_->wants_ticks() || conversation_->speech_due() <= SystemClock::Get().Now();
    if (due && !away_) conversation_->Tick();
    // A client that is held back, or was listening until now, is not idle.
    if (answering || !conversation_->accepts_input()) last_client_event_ = SystemClock::Get().Now();
    if (Status status = CheckLimits(SystemClock::Get().Now()); !status.ok()) return status;
    if (conversation_->finished() && call_->settled()) return OkStatus();
    if (batch.draining && (away_ || !response_due())) return Unavailable("the server is stopping");
  }
}

void Session::Handle(ClientInput input) {
  if (const auto* event = std::get_if<ClientEvent>(&input)) {
    last_client_event_ = SystemClock::Get().Now();  // when it arrived is no matter: it may have had to wait
    conversation_->OnClientEvent(*event);
  } else {
    conversation_->OnHalfClose();
  }
}

void Session::LookForClient() {
  const bool was_away = std::exchange(away_, call_->away_until().has_value());
  if (!was_away || away_) return;
  last_client_event_ = SystemClock::Get().Now();
  conversation_->OnClientBack();
}

Status Session::CheckLimits(TimePoint now) const {
  if (Status fault = call_->fault(); !fault.ok()) return fault;
  if (now - opened_ >= options_.max_session) {
    return DeadlineExceeded("the session has reached its greatest length, " + Seconds(options_.max_session));
  }
  if (const auto until = call_->away_until(); until && now >= *until) {
    return Cancelled("the client has not come back within " + Seconds(options_.resume_grace));
  }
  // Who listens to an answer need not say anything.
  if (!away_ && !response_due() && now - last_client_event_ >= options_.idle_timeout) {
    return DeadlineExceeded("the client has sent nothing for " + Seconds(options_.idle_timeout));
  }
  return OkStatus();
}

TimePoint Session::NextWake(TimePoint now) const {
  if (conversation_->wants_to_paint()) return now;
  TimePoint limit = opened_ + options_.max_session;
  if (away_) return std::min(limit, call_->away_until().value_or(now));
  limit = std::min(limit, conversation_->speech_due());
  if (!response_due()) limit = std::min(limit, last_client_event_ + options_.idle_timeout);
  return conversation_->wants_ticks() ? std::min(limit, now + kTick) : limit;
}

}  // namespace antiphon
