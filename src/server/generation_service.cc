#include "server/generation_service.h"

#include <memory>

#include "server/admit_call.h"
#include "server/generate_call.h"

namespace antiphon {

GenerationService::GenerationService(SessionHost& host, const ModelDescription& model,
                                     const ServerOptions& options)
    : host_(host),
      model_(model),
      options_(options),
      retry_after_ms_(std::to_string(options.retry_after.count())) {}

grpc::ServerWriteReactor<grpc::ByteBuffer>* GenerationService::Generate(grpc::CallbackServerContext* context,
                                                                        const grpc::ByteBuffer* request) {
  return AdmitCall<GenerateCall>(
      host_, SessionKind::kGeneration, context, retry_after_ms_, [&](SessionInbox* inbox) {
        return std::make_unique<GenerateCall>(context, *request, model_, options_.longest_turn, inbox,
                                              options_.max_unread_bytes);
      });
}

}  // namespace antiphon
