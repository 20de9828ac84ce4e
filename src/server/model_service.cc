#include "server/model_service.h"

#include "server/messages.h"

namespace antiphon {

ModelService::ModelService(const ModelDescription& model) { *models_.add_models() = ToMessage(model); }

grpc::ServerUnaryReactor* ModelService::ListModels(grpc::CallbackServerContext* context,
                                                   const v1::ListModelsRequest*,
                                                   v1::ListModelsResponse* response) {
  *response = models_;
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace antiphon
