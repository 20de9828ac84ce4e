// The server that a benchmark talks to: one that runs already, or an antiphond of the benchmark's own.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "antiphon/status.h"
#include "bench/server_process.h"

namespace antiphon::bench {

struct TestedServer {
  std::string address;                                    // HOST:PORT of one that runs
  std::string model;                                      // else: the folder to start one with
  std::string program = ServerProcess::DefaultProgram();  // that is started
};

// --server, --model and --antiphond fill `server`, which outlives the parsing.
void AddServerOptions(CLI::App& app, TestedServer* server);

// What is talked to, until it is destroyed.
struct ReachedServer {
  std::string address;
  std::unique_ptr<ServerProcess> process;  // null for one that ran already
};

// Starts one, with `arguments` besides the model, if none runs. INVALID_ARGUMENT when there is nothing to
// start it with; otherwise as ServerProcess::Start.
Result<ReachedServer> Reach(const TestedServer& server, std::vector<std::string> arguments = {});

}  // namespace antiphon::bench
