#include "bench/connection_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

namespace antiphon::bench {
namespace {

Status SystemFailure(const char* what) {
  return Unavailable(std::string("the proxy: ") + what + ": " + std::strerror(errno));
}

Result<sockaddr_storage> AddressOf(const std::string& server) {
  const size_t colon = server.rfind(':');
  if (colon == std::string::npos) return InvalidArgument("the server is " + server + ", must be HOST:PORT");
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(server.substr(0, colon).c_str(), server.substr(colon + 1).c_str(), &hints, &found) != 0) {
    return InvalidArgument("there is no address " + server);
  }
  sockaddr_storage address{};
  std::memcpy(&address, found->ai_addr, sizeof(sockaddr_in));
  freeaddrinfo(found);
  return address;
}

// Closes with a reset: what has not been sent yet is lost.
void Reset(int socket) {
  const linger at_once{1, 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(socket);
}

void SendWithoutDelay(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Result<std::unique_ptr<ConnectionProxy>> ConnectionProxy::Start(const std::string& server) {
  const Result<sockaddr_storage> address = AddressOf(server);
  if (!address.ok()) return address.status();
  std::unique_ptr<ConnectionProxy> proxy(new ConnectionProxy(*address));
  if (Status status = proxy->Listen(); !status.ok()) return status;
  proxy->thread_ = std::thread(&ConnectionProxy::Run, proxy.get());
  return proxy;
}

Status ConnectionProxy::Listen() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0) return SystemFailure("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0) return SystemFailure("bind");
  if (listen(listener_, 64) != 0) return SystemFailure("listen");
  if (getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return SystemFailure("getsockname");
  }
  if (pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0) return SystemFailure("pipe");
  address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  return OkStatus();
}

std::optional<TimePoint> ConnectionProxy::last_cut() const {
  const std::lock_guard lock(mutex_);
  return last_cut_;
}

ConnectionProxy::~ConnectionProxy() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    WakeUp();
    thread_.join();
  }
  for (const int descriptor : {listener_, wake_[0], wake_[1]}) {
    if (descriptor >= 0) close(descriptor);
  }
}

void ConnectionProxy::WakeUp() {
  // A full pipe wakes as well.
  if (write(wake_[1], "x", 1) < 0) return;
}

void ConnectionProxy::CutAfter(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  cut_at_ = passed_.load() + bytes;
}

void ConnectionProxy::KeepWhole() {
  const std::lock_guard lock(mutex_);
  cut_at_.reset();
}

void ConnectionProxy::Shut() {
  std::unique_lock lock(mutex_);
  shut_ = true;
  shut_done_ = false;
  WakeUp();
  changed_.wait(lock, [this] { return shut_done_; });
}

void ConnectionProxy::Open() {
  {
    const std::lock_guard lock(mutex_);
    shut_ = false;
  }
  WakeUp();
}

void ConnectionProxy::Run() {
  while (true) {
    bool shut = false;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
      shut = shut_;
    }
    if (shut) {
      CutAll();
      const std::lock_guard lock(mutex_);
      shut_done_ = true;
      changed_.notify_all();
    }
    std::vector<pollfd> polled = {{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Link& link : links_) {
      polled.push_back({link.client_open ? link.client : -1, POLLIN, 0});
      polled.push_back({link.server_open ? link.server : -1, POLLIN, 0});
    }
    if (poll(polled.data(), polled.size(), -1) < 0) continue;
    std::array<char, 64> drained;
    if (polled[0].revents != 0 && read(wake_[0], drained.data(), drained.size()) < 0) continue;
    bool cut = false;
    size_t i = 2;
    for (Link& link : links_) {
      if (polled[i].revents != 0) cut = cut || !Pass(link.client, link.server, &link.client_open);
      if (polled[i + 1].revents != 0) cut = cut || !Pass(link.server, link.client, &link.server_open);
      i += 2;
      if (cut) break;
    }
    if (cut) CutAll();
    links_.remove_if([](const Link& link) {
      if (link.client_open || link.server_open) return false;
      close(link.client);
      close(link.server);
      return true;
    });
    if (polled[1].revents != 0) Accept();
  }
  CutAll();
}

void ConnectionProxy::Accept() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  {
    const std::lock_guard lock(mutex_);
    if (shut_) return Reset(client);
  }
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto* address = reinterpret_cast<const sockaddr*>(&server_);
  if (server < 0 || connect(server, address, sizeof(sockaddr_in)) != 0) {
    if (server >= 0) close(server);
    return Reset(client);
  }
  SendWithoutDelay(client);
  SendWithoutDelay(server);
  links_.push_back({client, server});
}

bool ConnectionProxy::Pass(int from, int to, bool* open) {
  std::array<char, 16 * 1024> bytes;
  const ssize_t count = recv(from, bytes.data(), bytes.size(), 0);
  if (count < 0) return false;
  if (count == 0) {
    *open = false;
    shutdown(to, SHUT_WR);
    return true;
  }
  size_t wanted = static_cast<size_t>(count);
  bool cut = false;
  {
    const std::lock_guard lock(mutex_);
    if (cut_at_ && passed_ + wanted >= *cut_at_) {
      wanted = static_cast<size_t>(*cut_at_ - passed_);
      cut_at_.reset();
      cut = true;
    }
    passed_ += wanted;
  }
  for (size_t sent = 0; sent < wanted;) {
    const ssize_t step = send(to, bytes.data() + sent, wanted - sent, MSG_NOSIGNAL);
    if (step <= 0) return false;
    sent += static_cast<size_t>(step);
  }
  return !cut;
}

void ConnectionProxy::CutAll() {
  if (links_.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    last_cut_ = std::chrono::steady_clock::now();
  }
  ++cuts_;
  for (const Link& link : links_) {
    Reset(link.client);
    Reset(link.server);
  }
  links_.clear();
}

}  // namespace antiphon::bench
