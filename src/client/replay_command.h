// `antiphon replay`: recorded sessions, run again on a server and compared.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace antiphon::client {

struct ReplayCommand {
  std::string server;
  std::vector<std::string> files;
  int sessions = 1;                            // at once
  std::chrono::milliseconds timeout{600'000};  // of each
  bool json = false;
};

// Prints what came of each file to standard output, in their order, and what could not be replayed to
// standard error as well. The process's exit status: 0 when every token of every file was the same, else 1.
int RunReplay(const ReplayCommand& command);

}  // namespace antiphon::client
