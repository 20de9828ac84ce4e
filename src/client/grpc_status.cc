#include "client/grpc_status.h"

#include <charconv>
#include <system_error>

namespace antiphon::client {

StatusCode FromCanonicalCode(uint32_t code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return StatusCode::kOk;
    case grpc::StatusCode::CANCELLED:
      return StatusCode::kCancelled;
    case grpc::StatusCode::INVALID_ARGUMENT:
      return StatusCode::kInvalidArgument;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return StatusCode::kDeadlineExceeded;
    case grpc::StatusCode::NOT_FOUND:
      return StatusCode::kNotFound;
    case grpc::StatusCode::ALREADY_EXISTS:
      return StatusCode::kAlreadyExists;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return StatusCode::kPermissionDenied;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return StatusCode::kResourceExhausted;
    case grpc::StatusCode::FAILED_PRECONDITION:
      return StatusCode::kFailedPrecondition;
    case grpc::StatusCode::OUT_OF_RANGE:
      return StatusCode::kOutOfRange;
    case grpc::StatusCode::UNIMPLEMENTED:
      return StatusCode::kUnimplemented;
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::UNAVAILABLE:
      return StatusCode::kUnavailable;
    case grpc::StatusCode::DATA_LOSS:
      return StatusCode::kDataLoss;
    default:
      return StatusCode::kInternal;
  }
}

Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return OkStatus();
  return {FromCanonicalCode(static_cast<uint32_t>(status.error_code())), status.error_message()};
}

Status CheckWaitForPlace(std::chrono::milliseconds time) {
  if (time.count() >= 0 && time <= std::chrono::minutes(10)) return OkStatus();
  return InvalidArgument("wait_for_place is " + std::to_string(time.count()) + " ms, must be 0 to 600000");
}

void WaitForPlace(std::chrono::milliseconds time, grpc::ClientContext* context) {
  if (time.count() > 0) context->AddMetadata("antiphon-wait-ms", std::to_string(time.count()));
}

std::optional<std::chrono::milliseconds> RetryAfter(const grpc::ClientContext& context) {
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto entry = metadata.find("retry-after-ms");
  if (entry == metadata.end()) return std::nullopt;
  int64_t ms = 0;
  const auto [end, error] = std::from_chars(entry->second.begin(), entry->second.end(), ms);
  if (error != std::errc() || end != entry->second.end() || ms < 0) return std::nullopt;
  return std::chrono::milliseconds(ms);
}

}  // namespace antiphon::client
