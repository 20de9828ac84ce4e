// A recording sent to a server to be run again.
#pragma once

#include <chrono>
#include <string>

#include "antiphon/replay.h"
#include "antiphon/status.h"
#include "antiphon/v1/replay.grpc.pb.h"

namespace antiphon::client {

// As Client::Replay.
Result<ReplayOutcome> Replay(v1::ReplayService::Stub& service, const std::string& path,
                             std::chrono::milliseconds timeout);

}  // namespace antiphon::client
