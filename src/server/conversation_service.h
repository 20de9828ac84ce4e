// ConversationService: lets calls in or turns them away.
#pragma once

#include <cstddef>
#include <string>

#include "antiphon/v1/conversation.grpc.pb.h"
#include "server/server_options.h"
#include "server/session_host.h"

namespace antiphon {

// Converse is served as bytes; see ConverseCall. Thread-safe.
class ConversationService final
    : public v1::ConversationService::WithRawCallbackMethod_Converse<v1::ConversationService::Service> {
 public:
  // `host` outlives the service.
  ConversationService(SessionHost& host, const ServerOptions& options);

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Converse(
      grpc::CallbackServerContext* context) override;

 private:
  SessionHost& host_;
  const size_t max_unread_bytes_;
  const std::string retry_after_ms_;
};

}  // namespace antiphon
