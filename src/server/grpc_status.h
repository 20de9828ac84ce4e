// Status as gRPC has it.
#pragma once

#include <grpcpp/support/status.h>

#include "antiphon/status.h"

namespace antiphon {

// The canonical gRPC code of the same name.
grpc::StatusCode ToGrpc(StatusCode code);
inline grpc::Status ToGrpc(const Status& status) {
  return status.ok() ? grpc::Status::OK : grpc::Status(ToGrpc(status.code()), status.message());
}

}  // namespace antiphon
