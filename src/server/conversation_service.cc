#include "server/conversation_service.h"

#include <memory>
#include <string>

#include "server/admit_call.h"
#include "server/converse_call.h"

namespace antiphon {

ConversationService::ConversationService(SessionHost& host, const ServerOptions& options)
    : host_(host),
      max_unread_bytes_(options.max_unread_bytes),
      retry_after_ms_(std::to_string(options.retry_after.count())) {}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ConversationService::Converse(
    grpc::CallbackServerContext* context) {
  return AdmitCall<ConverseCall>(
      host_, SessionKind::kConversation, context, retry_after_ms_,
      [&](SessionInbox* inbox) { return std::make_unique<ConverseCall>(context, inbox, max_unread_bytes_); });
}

}  // namespace antiphon
