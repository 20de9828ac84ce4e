// Calls of services whose messages are not part of this repository: bytes in, bytes out.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace antiphon {

// Sends one message and half-closes; the bytes of the first answer, or "" when there is none. `end`, if not
// null, receives how the call ended.
std::string CallOnce(grpc::GenericStub* stub, const std::string& method, const std::string& message,
                     grpc::Status* end = nullptr);

enum class HealthStatus { kUnknown, kServing, kNotServing };

// What grpc.health.v1.Health says of a service; kUnknown when the call fails or the service is none.
HealthStatus CheckHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service);

}  // namespace antiphon
