// Stands between a client and a server, and cuts their connections.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon::bench {

// Passes on what it is sent, byte for byte, over TCP on the loopback interface. Thread-safe.
class ConnectionProxy {
 public:
  // To a server at "HOST:PORT", by IPv4. INVALID_ARGUMENT when there is no such address, UNAVAILABLE when the
  // system refuses.
  static Result<std::unique_ptr<ConnectionProxy>> Start(const std::string& server);
  ~ConnectionProxy();
  ConnectionProxy(const ConnectionProxy&) = delete;
  ConnectionProxy& operator=(const ConnectionProxy&) = delete;

  // "127.0.0.1:PORT".
  const std::string& address() const { return address_; }

  // Cuts every connection when so many further bytes have passed, in either direction: what is on its way is
  // lost, and both sides are told by a reset. New connections are taken again at once.
  void CutAfter(uint64_t bytes);
  // Not after all.
  void KeepWhole();
  // Cuts every connection and takes none until Open. Nothing passes once this has returned.
  void Shut();
  void Open();

  uint64_t bytes_passed() const { return passed_.load(); }
  int cuts() const { return cuts_.load(); }
  // When the last was; nullopt before any.
  std::optional<TimePoint> last_cut() const;

 private:
  struct Link {
    int client = -1;
    int server = -1;
    bool client_open = true;  // for reading
    bool server_open = true;
  };

  explicit ConnectionProxy(const sockaddr_storage& server) : server_(server) {}

  Status Listen();
  void Run();
  void Accept();
  // False when the link is to be cut.
  bool Pass(int from, int to, bool* open);
  void CutAll();
  void WakeUp();

  const sockaddr_storage server_;  // of IPv4
  std::string address_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};  // a pipe

  std::atomic<uint64_t> passed_{0};
  std::atomic<int> cuts_{0};

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<uint64_t> cut_at_;  // of passed_
  std::optional<TimePoint> last_cut_;
  bool shut_ = false;
  bool shut_done_ = false;  // and the thread has done it
  bool stopping_ = false;

  std::list<Link> links_;  // the thread's
  std::thread thread_;
};

}  // namespace antiphon::bench
