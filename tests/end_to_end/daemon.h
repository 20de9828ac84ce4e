// A process under test: antiphond as an operator runs it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace antiphon {

// Runs antiphond with its standard output and error in files. The destructor kills it if it still runs.
class Daemon {
 public:
  explicit Daemon(const std::vector<std::string>& arguments);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Waits for "listening on HOST:PORT" and returns HOST:PORT; nothing when the process ends before, or after
  // 60 s.
  std::optional<std::string> WaitUntilListening();
  void Signal(int signal);
  pid_t pid() const { return pid_; }
  // The exit code, or 128 + signal; nothing when it still runs after `patience`.
  std::optional<int> WaitForExit(std::chrono::milliseconds patience = std::chrono::seconds(30));

  std::string StandardOutput() const;
  std::string StandardError() const;

 private:
  std::string folder_;  // of the two files, removed with the daemon
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace antiphon
