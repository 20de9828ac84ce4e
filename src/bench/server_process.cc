#include "bench/server_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "antiphon/client.h"

namespace antiphon::bench {
namespace {

using namespace std::chrono_literals;

}  // namespace

Result<int> ServerProcess::FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool found = fd >= 0 && bind(fd, generic, size) == 0 && getsockname(fd, generic, &size) == 0;
  const std::string reason = std::strerror(errno);
  if (fd >= 0) close(fd);
  if (!found) return Unavailable("no free port: " + reason);
  return static_cast<int>(ntohs(address.sin_port));
}

std::string ServerProcess::DefaultProgram() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "antiphond").string();
}

Result<std::unique_ptr<ServerProcess>> ServerProcess::Start(const std::string& program,
                                                            std::vector<std::string> arguments,
                                                            std::chrono::seconds patience) {
  const Result<int> port = FreePort();
  if (!port.ok()) return port.status();
  const std::string target = "127.0.0.1:" + std::to_string(*port);
  arguments.insert(arguments.begin(), program);
  arguments.insert(arguments.end(), {"--listen", target});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // Its log goes where ours goes; standard output is for the results.
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Unavailable("cannot start " + program + ": " + std::strerror(error));
  std::unique_ptr<ServerProcess> process(new ServerProcess(pid, target));
  if (Status status = process->AwaitReady(program, patience); !status.ok()) return status;
  return process;
}

Status ServerProcess::AwaitReady(const std::string& program, std::chrono::seconds patience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < give_up) {
    if (Ended()) return Unavailable(program + " ended before it answered");
    auto client = client::Client::Connect(target_, {.connect_timeout = 500ms});
    if (client.ok() && (*client)->ListModels().ok()) return OkStatus();
    std::this_thread::sleep_for(50ms);
  }
  return Unavailable(program + " did not answer within " + std::to_string(patience.count()) + " s");
}

bool ServerProcess::Ended() {
  if (pid_ != 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = 0;
  return pid_ == 0;
}

ServerProcess::~ServerProcess() {
  if (Ended()) return;
  kill(pid_, SIGTERM);
  for (int i = 0; i < 200; ++i) {
    if (Ended()) return;
    std::this_thread::sleep_for(50ms);
  }
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace antiphon::bench
