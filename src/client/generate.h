// Client::Generate on one gRPC call.
#pragma once

#include "antiphon/generate.h"
#include "antiphon/v1/generation.grpc.pb.h"

namespace antiphon::client {

// See Client::Generate.
Status Generate(v1::GenerationService::Stub& service, const GenerateRequest& request,
                const GenerateOptions& options, Generation* generation);

}  // namespace antiphon::client
