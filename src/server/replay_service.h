// ReplayService: recorded sessions, run again.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "antiphon/engine.h"
#include "antiphon/v1/replay.grpc.pb.h"
#include "server/replay_call.h"
#include "server/server_options.h"

namespace antiphon {

// Each call has a thread, of which there are at most max_sessions. Thread-safe. The destructor waits for the
// calls: shut gRPC's server down before.
class ReplayService final : public v1::ReplayService::CallbackService {
 public:
  // `engine` outlives the service.
  ReplayService(Engine& engine, const ServerOptions& options);
  ~ReplayService() override;

  grpc::ServerReadReactor<v1::ReplayRequest>* Replay(grpc::CallbackServerContext* context,
                                                     v1::ReplayResponse* response) override;

 private:
  struct Entry {
    std::unique_ptr<ReplayCall> call;
    std::thread thread;
    bool ended = false;
  };

  void Run(Entry* entry);
  void Reap();  // caller holds mutex_

  Engine& engine_;
  const ServerOptions options_;

  std::mutex mutex_;
  // Guarded by mutex_.
  std::list<Entry> entries_;
  int under_way_ = 0;  // of them; the others only wait for gRPC to be done with them
};

}  // namespace antiphon
