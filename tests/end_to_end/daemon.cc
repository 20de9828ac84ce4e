#include "tests/end_to_end/daemon.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

extern char** environ;

namespace antiphon {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kPoll{20};

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string NewFolder() {
  std::string name = testing::TempDir() + "antiphon_daemon_XXXXXX";
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  return name;
}

}  // namespace

Daemon::Daemon(const std::vector<std::string>& arguments) : folder_(NewFolder()) {
  std::vector<std::string> words = {ANTIPHOND};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  const int flags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, (folder_ + "/out").c_str(), flags, 0600);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, (folder_ + "/err").c_str(), flags, 0600);
  EXPECT_EQ(posix_spawn(&pid_, words[0].c_str(), &files, nullptr, argv.data(), environ), 0) << words[0];
  posix_spawn_file_actions_destroy(&files);
}

Daemon::~Daemon() {
  if (!exit_code_ && pid_ > 0) {
    Signal(SIGKILL);
    WaitForExit();
  }
  std::filesystem::remove_all(folder_);
}

std::optional<std::string> Daemon::WaitUntilListening() {
  const std::string words = "listening on ";
  for (milliseconds waited{0}; waited < std::chrono::seconds(60); waited += kPoll) {
    const std::string output = StandardOutput();
    const size_t begin = output.find(words);
    const size_t end = output.find('\n', begin);
    if (begin != std::string::npos && end != std::string::npos) {
      return output.substr(begin + words.size(), end - begin - words.size());
    }
    if (WaitForExit(milliseconds(0))) return std::nullopt;
    std::this_thread::sleep_for(kPoll);
  }
  return std::nullopt;
}

void Daemon::Signal(int signal) { EXPECT_EQ(kill(pid_, signal), 0); }

std::optional<int> Daemon::WaitForExit(milliseconds patience) {
  for (milliseconds waited{0}; !exit_code_; waited += kPoll) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    } else if (waited >= patience) {
      break;
    } else {
      std::this_thread::sleep_for(kPoll);
    }
  }
  return exit_code_;
}

std::string Daemon::StandardOutput() const { return ReadFile(folder_ + "/out"); }
std::string Daemon::StandardError() const { return ReadFile(folder_ + "/err"); }

}  // namespace antiphon
