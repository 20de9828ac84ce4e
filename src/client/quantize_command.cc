#include "client/quantize_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace antiphon::client {

int RunQuantize(char** arguments) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  std::string program = (self.parent_path() / "antiphon-quantize").string();
  std::vector<char*> argv = {program.data()};
  for (; *arguments != nullptr; ++arguments) argv.push_back(*arguments);
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  std::fprintf(stderr, "antiphon: cannot start %s: %s\n", program.c_str(), std::strerror(errno));
  return 1;
}

}  // namespace antiphon::client
