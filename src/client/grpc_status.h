// gRPC's status as ours.
#pragma once

#include <grpcpp/support/status.h>

#include "antiphon/status.h"

namespace antiphon::client {

// Codes that Status lacks become the nearest it has: UNAUTHENTICATED PERMISSION_DENIED, ABORTED UNAVAILABLE,
// UNKNOWN and everything from outside the canon INTERNAL.
Status FromGrpc(const grpc::Status& status);

// A canonical code as a number, as in v1::Error.
StatusCode FromCanonicalCode(uint32_t code);

}  // namespace antiphon::client
