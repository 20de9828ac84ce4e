#include "antiphon/client.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "antiphon/v1/model.grpc.pb.h"
#include "antiphon/v1/replay.grpc.pb.h"
#include "client/conversation.h"
#include "client/generate.h"
#include "client/grpc_status.h"
#include "client/replay.h"
#include "client/wire.h"

namespace antiphon::client {
namespace {

constexpr int kKeepaliveMs = 15'000;  // servers may refuse pings that come more often than every 5 s
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kReconnectMs = 100;
constexpr int kReconnectTimeoutMs = 5'000;  // of one attempt
constexpr int kSlowestReconnectMs = 2'000;

class GrpcClient final : public Client {
 public:
  GrpcClient(std::shared_ptr<grpc::Channel> channel, const ClientOptions& options)
      : options_(options),
        channel_(std::move(channel)),
        models_(v1::ModelService::NewStub(channel_)),
        generation_(v1::GenerationService::NewStub(channel_)),
        replay_(v1::ReplayService::NewStub(channel_)) {}

  Result<std::vector<ModelInfo>> ListModels() override {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + options_.call_timeout);
    v1::ListModelsResponse response;
    const grpc::Status status = models_->ListModels(&context, {}, &response);
    if (!status.ok()) return FromGrpc(status);
    std::vector<ModelInfo> models;
    for (const v1::ModelInfo& model : response.models()) models.push_back(FromWire(model));
    return models;
  }

  Result<std::unique_ptr<Conversation>> Open(const ConversationOptions& options,
                                             std::chrono::milliseconds* retry_after) override {
    return StreamConversation::Open(channel_, options, retry_after);
  }

  Status Generate(const GenerateRequest& request, const GenerateOptions& options,
                  Generation* generation) override {
    return client::Generate(*generation_, request, options, generation);
  }

  Result<ReplayOutcome> Replay(const std::string& path, std::chrono::milliseconds timeout) override {
    return client::Replay(*replay_, path, timeout);
  }

 private:
  const ClientOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::ModelService::Stub> models_;
  const std::unique_ptr<v1::GenerationService::Stub> generation_;
  const std::unique_ptr<v1::ReplayService::Stub> replay_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::Connect(const std::string& target, const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  // A connection for each client, as from different machines, instead of one shared by the whole process.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A network that has gone without a word is noticed, and one that is back is used at once.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kSlowestReconnectMs);
  auto channel = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
  const auto deadline = std::chrono::system_clock::now() + options.connect_timeout;
  if (!channel->WaitForConnected(deadline)) {
    return Unavailable("nobody answers at " + target + " within " +
                       std::to_string(options.connect_timeout.count()) + " ms");
  }
  return std::unique_ptr<Client>(std::make_unique<GrpcClient>(std::move(channel), options));
}

}  // namespace antiphon::client
