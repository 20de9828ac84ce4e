// One Replay call: takes the recording in, has it run, and tells what came of it.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "antiphon/engine.h"
#include "antiphon/status.h"
#include "antiphon/v1/replay.grpc.pb.h"
#include "server/server_options.h"

namespace antiphon {

// Thread rule: Run belongs to a thread of its own, on which the call may also wait; gRPC calls the reactions
// from its own threads.
class ReplayCall final : public grpc::ServerReadReactor<v1::ReplayRequest> {
 public:
  // All outlive the call but `context` and `response`, which gRPC keeps until it is done with it.
  ReplayCall(Engine& engine, const ServerOptions& options, grpc::CallbackServerContext* context,
             v1::ReplayResponse* response);

  // Serves the call. `freed` is called once, when its replay is over and before the client can know. Returns
  // when gRPC is done with it.
  void Run(const std::function<void()>& freed);

 private:
  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  Status Receive(TimePoint until);
  // Runs what was received.
  Result<ReplayOutcome> Replay(TimePoint until);

  Engine& engine_;
  const ServerOptions& options_;
  grpc::CallbackServerContext* const context_;
  v1::ReplayResponse* const response_;
  v1::ReplayRequest piece_;  // gRPC's while it reads

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::string bytes_;
  bool received_ = false;  // nothing more is read
  Status fault_;           // of what was received
  bool cancelled_ = false;
  bool done_ = false;
  std::unique_ptr<SessionReplay> replay_;
};

}  // namespace antiphon
