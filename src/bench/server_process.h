// An antiphond of the benchmark's own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "antiphon/status.h"

namespace antiphon::bench {

class ServerProcess {
 public:
  // Starts `program` (a path) with `arguments` and `--listen 127.0.0.1:PORT` on a free port and waits until
  // it answers. UNAVAILABLE when it cannot be started, ends by itself or does not answer in time.
  static Result<std::unique_ptr<ServerProcess>> Start(
      const std::string& program, std::vector<std::string> arguments,
      std::chrono::seconds patience = std::chrono::seconds(120));
  // The antiphond that was built with this program: the one in the same folder.
  static std::string DefaultProgram();

  // Asks it to drain, and ends it if it has not within ten seconds.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& target() const { return target_; }
  pid_t pid() const { return pid_; }

  // A port of this machine that was free a moment ago. Somebody else may take it before the server does; then
  // the server says so.
  static Result<int> FreePort();

 private:
  ServerProcess(pid_t pid, std::string target) : pid_(pid), target_(std::move(target)) {}

  Status AwaitReady(const std::string& program, std::chrono::seconds patience);
  // Whether it has ended; collects it if so.
  bool Ended();

  pid_t pid_;  // 0 once collected
  const std::string target_;
};

}  // namespace antiphon::bench
