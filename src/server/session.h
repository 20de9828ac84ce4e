// One session: a conversation on a thread of its own, between a call and a sequence of the engine.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "conversation/conversation.h"
#include "server/call.h"
#include "server/metered_sink.h"
#include "server/server_metrics.h"
#include "server/server_options.h"
#include "server/session_inbox.h"
#include "server/session_kind.h"

namespace antiphon {

// Thread rule: the maker and the first Enter on any thread; then Enter until it succeeds, and Run, once, or
// instead of both Refuse, on the session's own thread; Drain and Stop on any thread until Run or Refuse has
// returned.
class Session {
 public:
  // `engine` and `metrics` outlive the session, which is counted from Run on.
  Session(Engine& engine, const ServerOptions& options, SessionKind kind, ServerMetrics& metrics,
          const CallMaker& make_call);

  // Opens a sequence for the call. The engine's refusal, RESOURCE_EXHAUSTED for instance, is passed on; the
  // session may try again.
  Status Enter();
  // The client has hung up, or the session was stopped, while it waits to enter. On the session's own thread.
  std::optional<Status> GivenUp();
  // Ends the call of a session that has not entered.
  void Refuse(const Status& status);

  // Leads the conversation to its end, frees the sequence, calls `freed` and ends the call.
  void Run(const std::function<void()>& freed);

  // Ends as soon as no response is due.
  void Drain() { inbox_.Drain(); }
  // Ends now.
  void Stop(Status status) { inbox_.Abort(std::move(status)); }

  const std::string& id() const { return id_; }

 private:
  Status Converse();
  // Whether the client has been promised a response that has not ended.
  bool response_due() const { return kind_ == SessionKind::kGeneration || conversation_->response_due(); }
  // Everything the session must be ended for, but its client's wish.
  Status CheckLimits(TimePoint now) const;
  void Handle(ClientInput input);
  TimePoint NextWake(TimePoint now) const;
  // Notes whether the client is away, and that it has come back.
  void LookForClient();

  Engine& engine_;
  const std::string id_;
  const ServerOptions options_;
  const SessionKind kind_;
  TimePoint opened_;  // when Run began
  TimePoint last_client_event_;
  bool away_ = false;  // the client is; it may come back
  SessionInbox inbox_;
  SessionMetrics& metrics_;
  std::unique_ptr<Call> call_;
  MeteredSink sink_;
  std::unique_ptr<Conversation> conversation_;  // freed before the sink, the call and the inbox it speaks to
};

}  // namespace antiphon
