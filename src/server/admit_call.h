// What gRPC's handlers of calls that are sessions have in common.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <system_error>

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

// How long a call may be held until there is a place: its metadata `antiphon-wait-ms`, 0 to 600000; 0 if it
// has none. INVALID_ARGUMENT for anything else.
inline Result<std::chrono::milliseconds> LongestWait(const grpc::CallbackServerContext& context) {
  constexpr int64_t kLongestMs = 600'000;
  const auto& metadata = context.client_metadata();
  const auto entry = metadata.find("antiphon-wait-ms");
  if (entry == metadata.end()) return std::chrono::milliseconds(0);
  int64_t ms = 0;
  const auto [end, error] = std::from_chars(entry->second.begin(), entry->second.end(), ms);
  if (error != std::errc() || end != entry->second.end() || ms < 0 || ms > kLongestMs) {
    return InvalidArgument("the metadata antiphon-wait-ms must be 0 to " + std::to_string(kLongestMs));
  }
  return std::chrono::milliseconds(ms);
}

// Tells the client of a call that finds no place when to come again, and where it would stand.
inline void AddPlace(grpc::CallbackServerContext* context, const std::string& retry_after_ms,
                     const PlaceInQueue& place) {
  context->AddTrailingMetadata("retry-after-ms", retry_after_ms);
  context->AddTrailingMetadata("antiphon-queue-position", std::to_string(place.position));
  if (place.expected_wait) {
    context->AddTrailingMetadata("antiphon-expected-wait-ms", std::to_string(place.expected_wait->count()));
  }
}

// What the handler returns: the call that `make` has made for a new session, which then owns it, or one that
// says why there is none, with a hint when to try again, and the place in the queue, if the server is full.
// Or one that waits for a place, as its client asks for.
template <typename ServedCall>
typename ServedCall::Reactor* AdmitCall(
    SessionHost& host, SessionKind kind, grpc::CallbackServerContext* context,
    const std::string& retry_after_ms,
    const std::function<std::unique_ptr<ServedCall>(SessionInbox* inbox)>& make) {
  typename ServedCall::Reactor* served = nullptr;
  Status admitted = Internal("the session could not be made");
  const Result<std::chrono::milliseconds> longest_wait = LongestWait(*context);
  if (!longest_wait.ok()) return new RefusedCall<typename ServedCall::Reactor>(longest_wait.status());
  try {
    const CallMaker make_served = [&](SessionInbox* inbox) {
      std::unique_ptr<ServedCall> call = make(inbox);
      served = call->reactor();
      return call;
    };
    admitted = host.Admit(
        kind, make_served,
        {.longest_wait = *longest_wait, .on_full = [context, retry_after_ms](const PlaceInQueue& place) {
           AddPlace(context, retry_after_ms, place);
         }});
  } catch (const std::exception& error) {
    LogError("a session could not be made: {}", error.what());
  }
  if (admitted.ok()) return served;
  LogInfo("a session is refused: {}", admitted.ToString());
  host.metrics().Refused(kind, admitted.code());
  return new RefusedCall<typename ServedCall::Reactor>(admitted);
}

}  // namespace antiphon
