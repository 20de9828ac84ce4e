#include "bench/output.h"

#include <cstdio>
#include <fstream>

namespace antiphon::bench {

Status WriteReport(const nlohmann::json& report, const std::string& path) {
  if (path.empty()) return OkStatus();
  std::ofstream file(path);
  // Replaces what is not UTF-8: an answer may be anything.
  file << report.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  file.close();
  return file ? OkStatus() : Unavailable("cannot write " + path);
}

int ExitStatus(const Status& status) {
  if (status.ok()) return 0;
  std::fputs(("antiphon-bench: " + status.ToString() + "\n").c_str(), stderr);
  return 1;
}

}  // namespace antiphon::bench
