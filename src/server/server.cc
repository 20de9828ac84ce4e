#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <array>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>

#include "common/logging.h"
#include "common/metrics_endpoint.h"
#include "server/conversation_service.h"
#include "server/engine_metrics.h"
#include "server/generation_service.h"
#include "server/model_service.h"
#include "server/replay_service.h"
#include "server/resumable_calls.h"
#include "server/server_metrics.h"
#include "server/session_host.h"

namespace antiphon {
namespace {

// A client that vanished without a word is noticed within half a minute.
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kMinPingIntervalMs = 5'000;
// Streams of a connection beyond its sessions and those that wait to be one: other calls, and sessions to be
// refused with a reason.
constexpr int kFurtherStreams = 64;
constexpr std::chrono::seconds kShutdownPatience{2};

Status Check(const ServerOptions& options) {
  using std::chrono::milliseconds;
  if (options.max_sessions < 1) return InvalidArgument("max_sessions must be at least 1");
  if (options.max_message_bytes < 1024 || options.max_message_bytes > 64u * 1024 * 1024) {
    return InvalidArgument("max_message_bytes must be 1024 to 67108864");
  }
  const std::pair<const char*, milliseconds> times[] = {{"max_session", options.max_session},
                                                        {"idle_timeout", options.idle_timeout},
                                                        {"longest_turn", options.longest_turn}};
  for (const auto& [name, time] : times) {
    if (time < milliseconds(1) || time > std::chrono::hours(24)) {
      return InvalidArgument(std::string(name) + " is " + std::to_string(time.count()) +
                             " ms, must be 1 ms to 24 hours");
    }
  }
  if (options.resume_grace < milliseconds(0) || options.resume_grace > std::chrono::hours(24)) {
    return InvalidArgument("resume_grace is " + std::to_string(options.resume_grace.count()) +
                           " ms, must be 0 to 24 hours");
  }
  if (options.resume_patience < milliseconds(1) || options.resume_patience > std::chrono::hours(24)) {
    return InvalidArgument("resume_patience is " + std::to_string(options.resume_patience.count()) +
                           " ms, must be 1 ms to 24 hours");
  }
  if (options.max_detached < 0 || options.max_waiting_resumes < 1) {
    return InvalidArgument("max_detached must not be negative, max_waiting_resumes must be at least 1");
  }
  if (options.drain < milliseconds(0) || options.linger < milliseconds(0)) {
    return InvalidArgument("drain and linger must not be negative");
  }
  return OkStatus();
}

class GrpcServer final : public Server {
 public:
  GrpcServer(Engine& engine, const ServerOptions& options)
      : options_(options),
        engine_(engine),
        resumable_(static_cast<size_t>(options.max_detached),
                   static_cast<size_t>(options.max_waiting_resumes)),
        host_(engine, options, metrics_),
        conversation_service_(host_, resumable_, options),
        generation_service_(host_, engine.model(), options),
        model_service_(engine.model()),
        replay_service_(engine, options) {}
  ~GrpcServer() override { StopWithin(std::chrono::milliseconds(0)); }

  Status ServeMetrics();
  Status Listen();

  const std::string& address() const override { return address_; }
  std::string metrics_address() const override {
    return metrics_endpoint_ ? metrics_endpoint_->address() : std::string();
  }
  int open_sessions() const override { return host_.open_sessions(); }
  void Stop() override { StopWithin(options_.drain); }

 private:
  void StopWithin(std::chrono::milliseconds patience);

  const ServerOptions options_;
  Engine& engine_;
  ServerMetrics metrics_;
  std::unique_ptr<MetricsEndpoint> metrics_endpoint_;  // while a drain lasts too
  ResumableCalls resumable_;
  SessionHost host_;
  ConversationService conversation_service_;
  GenerationService generation_service_;
  ModelService model_service_;
  ReplayService replay_service_;  // registered where replay is allowed
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
  std::once_flag stopped_;
};

Status GrpcServer::ServeMetrics() {
  if (options_.metrics_address.empty()) return OkStatus();
  auto endpoint = MetricsEndpoint::Start(options_.metrics_address,
                                         {metrics_.registry, std::make_shared<EngineMetrics>(engine_)});
  if (!endpoint.ok()) return endpoint.status();
  metrics_endpoint_ = std::move(*endpoint);
  return OkStatus();
}

Status GrpcServer::Listen() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options_.listen, grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options_.max_message_bytes));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // two servers on one port are a mistake
  builder.AddChannelArgument(
      GRPC_ARG_MAX_CONCURRENT_STREAMS,
      options_.max_sessions + static_cast<int>(SessionHost::kMostWaiting) + kFurtherStreams);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingIntervalMs);
  builder.RegisterService(&conversation_service_);
  builder.RegisterService(&generation_service_);
  builder.RegisterService(&model_service_);
  if (options_.allow_replay) builder.RegisterService(&replay_service_);
  server_ = builder.BuildAndStart();
  if (!server_ || port == 0) return Unavailable("cannot listen on " + options_.listen);
  address_ = options_.listen.substr(0, options_.listen.rfind(':')) + ":" + std::to_string(port);
  // gRPC knows the whole server as "" and marks that itself.
  for (const char* service :
       {v1::ConversationService::service_full_name(), v1::GenerationService::service_full_name(),
        v1::ModelService::service_full_name()}) {
    server_->GetHealthCheckService()->SetServingStatus(service, true);
  }
  return OkStatus();
}

void GrpcServer::StopWithin(std::chrono::milliseconds patience) {
  std::call_once(stopped_, [&] {
    if (!server_) return;
    server_->GetHealthCheckService()->SetServingStatus(false);
    LogInfo("stopping: {} sessions are open", host_.open_sessions());
    resumable_.Close();
    host_.Drain(patience);
    server_->Shutdown(std::chrono::system_clock::now() + kShutdownPatience);
    server_->Wait();
  });
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(Engine& engine, const ServerOptions& options) {
  if (Status status = Check(options); !status.ok()) return status;
  auto server = std::make_unique<GrpcServer>(engine, options);
  // Before anybody can be let in.
  if (Status status = server->ServeMetrics(); !status.ok()) return status;
  if (Status status = server->Listen(); !status.ok()) return status;
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace antiphon
