// ModelService: what this server runs.
#pragma once

#include "antiphon/types.h"
#include "antiphon/v1/model.grpc.pb.h"

namespace antiphon {

class ModelService final : public v1::ModelService::CallbackService {
 public:
  explicit ModelService(const ModelDescription& model);

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;

 private:
  v1::ListModelsResponse models_;  // constant
};

}  // namespace antiphon
