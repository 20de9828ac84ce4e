// ConversationService: lets calls in or turns them away.
#pragma once

#include <string>

#include "antiphon/v1/conversation.grpc.pb.h"
#include "server/resumable_calls.h"
#include "server/server_options.h"
#include "server/session_host.h"

namespace antiphon {

// Served as bytes; see ConverseStream. Thread-safe.
class ConversationService final
    : public v1::ConversationService::WithRawCallbackMethod_Converse<
          v1::ConversationService::WithRawCallbackMethod_Resume<v1::ConversationService::Service>> {
 public:
  // `host` and `resumable` outlive the service and its calls.
  ConversationService(SessionHost& host, ResumableCalls& resumable, const ServerOptions& options);

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Converse(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Resume(
      grpc::CallbackServerContext* context) override;

 private:
  SessionHost& host_;
  ResumableCalls& resumable_;
  const ServerOptions options_;
  const std::string retry_after_ms_;
};

}  // namespace antiphon
