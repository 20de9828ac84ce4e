#include "server/conversation_service.h"

#include <memory>
#include <string>

#include "server/admit_call.h"
#include "server/converse_call.h"
#include "server/converse_stream.h"

namespace antiphon {

ConversationService::ConversationService(SessionHost& host, ResumableCalls& resumable,
                                         const ServerOptions& options)
    : host_(host),
      resumable_(resumable),
      options_(options),
      retry_after_ms_(std::to_string(options.retry_after.count())) {}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ConversationService::Converse(
    grpc::CallbackServerContext* context) {
  return AdmitCall<ConverseCall>(
      host_, SessionKind::kConversation, context, retry_after_ms_, [&](SessionInbox* inbox) {
        return std::make_unique<ConverseCall>(context, inbox, options_, resumable_, host_.metrics());
      });
}

// No new session: who may come back holds its place already.
grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ConversationService::Resume(
    grpc::CallbackServerContext* context) {
  if (resumable_.BeginWaiting()) return new ConverseStream(context, &resumable_, options_.resume_patience);
  context->AddTrailingMetadata("retry-after-ms", retry_after_ms_);
  return new RefusedCall<ConverseCall::Reactor>(
      ResourceExhausted("too many Resume calls have not sent their first event"));
}

}  // namespace antiphon
