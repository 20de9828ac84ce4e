// The command line of antiphond.
#pragma once

#include <string>

#include "antiphon/engine.h"
#include "common/logging.h"
#include "server/server_options.h"

namespace CLI {
class App;
}

namespace antiphon {

struct DaemonOptions {
  std::string model = "models/wren";
  EngineOptions engine;
  ServerOptions server;
  LogLevel log_level = LogLevel::kInfo;
};

// Describes the options to `app`, which writes into `options` when it parses. Both must outlive the parsing.
void AddOptions(CLI::App* app, DaemonOptions* options);

}  // namespace antiphon
