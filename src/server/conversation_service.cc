#include "server/conversation_service.h"

#include <exception>
#include <string>

#include "common/logging.h"
#include "server/grpc_status.h"

namespace antiphon {
namespace {

// A call that ends before it has begun.
class RefusedCall final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedCall(const Status& status) { Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

ConversationService::ConversationService(SessionHost& host, const ServerOptions& options)
    : host_(host), retry_after_ms_(std::to_string(options.retry_after.count())) {}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ConversationService::Converse(
    grpc::CallbackServerContext* context) {
  Result<ConverseCall*> call = Internal("the session could not be made");
  try {
    call = host_.Admit(context);
  } catch (const std::exception& error) {
    LogError("a session could not be made: {}", error.what());
  }
  if (call.ok()) return *call;
  LogInfo("a session is refused: {}", call.status().ToString());
  if (call.status().code() == StatusCode::kResourceExhausted) {
    context->AddTrailingMetadata("retry-after-ms", retry_after_ms_);
  }
  return new RefusedCall(call.status());
}

}  // namespace antiphon
