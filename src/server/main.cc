// antiphond: serves one model until it is told to stop.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include "antiphon/engine.h"
#include "common/logging.h"
#include "server/daemon_options.h"
#include "server/server.h"

namespace antiphon {
namespace {

enum ExitCode { kSuccess = 0, kUsage = 2, kModel = 3, kListen = 4, kTermination = 5 };

// SIGINT and SIGTERM are taken by WaitForTermination, on the main thread. Call before any thread is started:
// threads inherit the mask.
bool BlockTermination(sigset_t* signals) {
  sigemptyset(signals);
  sigaddset(signals, SIGINT);
  sigaddset(signals, SIGTERM);
  return pthread_sigmask(SIG_BLOCK, signals, nullptr) == 0;
}

// Returns on the first signal. A second one ends the process at once.
bool WaitForTermination(const sigset_t& signals) {
  int signal = 0;
  if (sigwait(&signals, &signal) != 0) return false;
  LogInfo("signal {}: stopping; the next one stops at once", signal);
  return pthread_sigmask(SIG_UNBLOCK, &signals, nullptr) == 0;
}

ExitCode Fail(ExitCode code, const Status& status) {
  std::fprintf(stderr, "antiphond: %s\n", status.ToString().c_str());
  return code;
}

ExitCode Serve(const DaemonOptions& options) {
  sigset_t signals;
  if (!BlockTermination(&signals)) return Fail(kTermination, Internal("signals cannot be blocked"));
  LogInfo("loading {}", options.model);
  auto engine = Engine::Create(options.model, options.engine);
  if (!engine.ok()) return Fail(kModel, engine.status());
  auto server = Server::Start(**engine, options.server);
  if (!server.ok()) return Fail(kListen, server.status());
  std::printf("listening on %s\n", (*server)->address().c_str());
  if (const std::string address = (*server)->metrics_address(); !address.empty()) {
    std::printf("metrics on http://%s/metrics\n", address.c_str());
  }
  std::fflush(stdout);
  if (!WaitForTermination(signals)) return Fail(kTermination, Internal("signals cannot be waited for"));
  (*server)->Stop();
  return kSuccess;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  antiphon::DaemonOptions options;
  CLI::App app("Serves an Antiphon model over gRPC until SIGINT or SIGTERM.", "antiphond");
  antiphon::AddOptions(&app, &options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? antiphon::kSuccess : antiphon::kUsage;
  }
  antiphon::SetLogLevel(options.log_level);
  return antiphon::Serve(options);
}
