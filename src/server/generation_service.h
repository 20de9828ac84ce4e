// GenerationService: lets calls in or turns them away.
#pragma once

#include <string>

#include "antiphon/types.h"
#include "antiphon/v1/generation.grpc.pb.h"
#include "server/server_options.h"
#include "server/session_host.h"

namespace antiphon {

// Generate is served as bytes; see GenerateCall. Thread-safe.
class GenerationService final
    : public v1::GenerationService::WithRawCallbackMethod_Generate<v1::GenerationService::Service> {
 public:
  // `host` and `model` outlive the service and its calls.
  GenerationService(SessionHost& host, const ModelDescription& model, const ServerOptions& options);

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Generate(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request) override;

 private:
  SessionHost& host_;
  const ModelDescription& model_;
  const ServerOptions options_;
  const std::string retry_after_ms_;
};

}  // namespace antiphon
