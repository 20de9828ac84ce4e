// What gRPC's handlers of calls that are sessions have in common.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "antiphon/status.h"
#include "common/logging.h"
#include "server/grpc_status.h"
#include "server/session_host.h"

namespace antiphon {

// A call that ends before it has begun.
template <typename Reactor>
class RefusedCall final : public Reactor {
 public:
  explicit RefusedCall(const Status& status) { this->Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

// What the handler returns: the call that `make` has made for a new session, which then owns it, or one that
// says why there is none, with a hint when to try again if the server is full.
template <typename ServedCall>
typename ServedCall::Reactor* AdmitCall(
    SessionHost& host, SessionKind kind, grpc::CallbackServerContext* context,
    const std::string& retry_after_ms,
    const std::function<std::unique_ptr<ServedCall>(SessionInbox* inbox)>& make) {
  typename ServedCall::Reactor* served = nullptr;
  Status admitted = Internal("the session could not be made");
  try {
    admitted = host.Admit(kind, [&](SessionInbox* inbox) {
      std::unique_ptr<ServedCall> call = make(inbox);
      served = call->reactor();
      return call;
    });
  } catch (const std::exception& error) {
    LogError("a session could not be made: {}", error.what());
  }
  if (admitted.ok()) return served;
  LogInfo("a session is refused: {}", admitted.ToString());
  host.metrics().Refused(kind, admitted.code());
  if (admitted.code() == StatusCode::kResourceExhausted) {
    context->AddTrailingMetadata("retry-after-ms", retry_after_ms);
  }
  return new RefusedCall<typename ServedCall::Reactor>(admitted);
}

}  // namespace antiphon
