// gRPC's status as ours, and what calls and servers tell each other in metadata.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <optional>

#include "antiphon/status.h"

namespace antiphon::client {

// Codes that Status lacks become the nearest it has: UNAUTHENTICATED PERMISSION_DENIED, ABORTED UNAVAILABLE,
// UNKNOWN and everything from outside the canon INTERNAL.
Status FromGrpc(const grpc::Status& status);

// A canonical code as a number, as in v1::Error.
StatusCode FromCanonicalCode(uint32_t code);

// INVALID_ARGUMENT unless it is 0 to 600000 ms.
Status CheckWaitForPlace(std::chrono::milliseconds time);
// Has a full server hold the call so long, unless it is 0. REQUIRES: the call has not begun.
void WaitForPlace(std::chrono::milliseconds time, grpc::ClientContext* context);

// When a server that was full said to try again. REQUIRES: the call is over.
std::optional<std::chrono::milliseconds> RetryAfter(const grpc::ClientContext& context);

}  // namespace antiphon::client
