#include "tests/server/connection_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace antiphon {
namespace {

void Require(bool held, const char* what) {
  if (held) return;
  std::perror(what);
  std::abort();
}

sockaddr_in AddressOf(const std::string& host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  Require(inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1, "a numeric address is needed");
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

ConnectionProxy::ConnectionProxy(const std::string& server)
    : server_host_(server.substr(0, server.rfind(':'))),
      server_port_(static_cast<uint16_t>(std::stoi(server.substr(server.rfind(':') + 1)))) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Require(listener_ >= 0, "socket");
  sockaddr_in address = AddressOf("127.0.0.1", 0);
  Require(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
  Require(listen(listener_, 64) == 0, "listen");
  socklen_t size = sizeof address;
  Require(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  Require(pipe2(wake_, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
  thread_ = std::thread(&ConnectionProxy::Run, this);
}

ConnectionProxy::~ConnectionProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  WakeUp();
  thread_.join();
  for (const int fd : {listener_, wake_[0], wake_[1]}) close(fd);
}

void ConnectionProxy::WakeUp() {
  // A full pipe wakes as well.
  if (write(wake_[1], "x", 1) < 0) return;
}

void ConnectionProxy::CutAfter(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  cut_at_ = passed_.load() + bytes;
}

void ConnectionProxy::Shut() {
  {
    const std::lock_guard lock(mutex_);
    shut_ = true;
  }
  WakeUp();
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
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
      if (shut_) CutAll();
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
  const sockaddr_in address = AddressOf(server_host_, server_port_);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(server);
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
  ++cuts_;
  for (const Link& link : links_) {
    Reset(link.client);
    Reset(link.server);
  }
  links_.clear();
}

}  // namespace antiphon
