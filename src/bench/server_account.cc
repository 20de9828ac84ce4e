#include "bench/server_account.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

namespace antiphon::bench {
namespace {

constexpr size_t kMostBytes = size_t{4} << 20;
constexpr int kPatienceSeconds = 5;

class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// Everything that comes until the other side closes.
Result<std::string> ReadAll(int fd) {
  std::string text;
  char buffer[16 * 1024];
  while (text.size() <= kMostBytes) {
    const ssize_t count = recv(fd, buffer, sizeof buffer, 0);
    if (count == 0) return text;
    if (count < 0) return Unavailable("the metrics did not come in time");
    text.append(buffer, static_cast<size_t>(count));
  }
  return Unavailable("the metrics are longer than 4 MiB");
}

}  // namespace

Result<std::string> FetchMetrics(const std::string& host_port) {
  const size_t colon = host_port.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (colon == std::string::npos ||
      inet_pton(AF_INET, host_port.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    return InvalidArgument("\"" + host_port + "\" is not an IPv4 address and a port");
  }
  address.sin_port = htons(static_cast<uint16_t>(std::strtoul(host_port.c_str() + colon + 1, nullptr, 10)));
  const Socket connection;
  const timeval patience{kPatienceSeconds, 0};
  setsockopt(connection.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(connection.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  // The old protocol: the end of the answer is the end of the connection.
  const std::string request = "GET /metrics HTTP/1.0\r\nHost: " + host_port + "\r\n\r\n";
  if (connect(connection.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      send(connection.fd(), request.data(), request.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(request.size())) {
    return Unavailable("nobody serves metrics at " + host_port);
  }
  Result<std::string> answer = ReadAll(connection.fd());
  if (!answer.ok()) return answer;
  const size_t body = answer->find("\r\n\r\n");
  if (answer->find(" 200 ") == std::string::npos || body == std::string::npos) {
    return Unavailable("the metrics' address answered " + answer->substr(0, answer->find('\r')));
  }
  return answer->substr(body + 4);
}

std::optional<double> MetricValue(const std::string& text, const std::string& series) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, series.size() + 1, series + " ") == 0) {
      return std::strtod(line.c_str() + series.size(), nullptr);
    }
  }
  return std::nullopt;
}

double CpuSeconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  if (!std::getline(file, stat)) return 0;
  // The second field is the program's name in brackets and may hold anything; utime and stime are the 12th
  // and 13th behind it.
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

ServerAccount operator-(ServerAccount later, const ServerAccount& earlier) {
  later.steps -= earlier.steps;
  later.positions -= earlier.positions;
  later.step_seconds -= earlier.step_seconds;
  later.predicted_seconds -= earlier.predicted_seconds;
  later.prediction_error_seconds -= earlier.prediction_error_seconds;
  later.timed_frames -= earlier.timed_frames;
  later.deadline_misses -= earlier.deadline_misses;
  later.underruns -= earlier.underruns;
  later.cpu_seconds -= earlier.cpu_seconds;
  return later;
}

Result<ServerAccount> ReadAccount(const std::string& metrics_address, pid_t pid) {
  const Result<std::string> text = FetchMetrics(metrics_address);
  if (!text.ok()) return text.status();
  std::string missing;
  const auto value = [&](const char* series) {
    const std::optional<double> found = MetricValue(*text, series);
    if (!found) missing = series;
    return found.value_or(0);
  };
  ServerAccount account{
      .steps = value("antiphon_engine_steps_total"),
      .positions = value("antiphon_engine_positions_total"),
      .step_seconds = value("antiphon_engine_step_seconds_total"),
      .predicted_seconds = value("antiphon_engine_step_predicted_seconds_total"),
      .prediction_error_seconds = value("antiphon_engine_step_prediction_error_seconds_total"),
      .timed_frames = value("antiphon_engine_timed_frames_total"),
      .deadline_misses = value("antiphon_engine_deadline_misses_total"),
      .underruns = value("antiphon_underruns_total"),
      .cpu_seconds = pid > 0 ? CpuSeconds(pid) : 0,
  };
  if (!missing.empty()) return DataLoss("the metrics at " + metrics_address + " have no " + missing);
  return account;
}

}  // namespace antiphon::bench
