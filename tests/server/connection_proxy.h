// Stands between a client and a server, and cuts their connections.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace antiphon {

// Passes on what it is sent, byte for byte, over TCP on the loopback interface. Thread-safe.
class ConnectionProxy {
 public:
  // To a server at "HOST:PORT", HOST a numeric IPv4 address. Fails the process when the system refuses.
  explicit ConnectionProxy(const std::string& server);
  ~ConnectionProxy();

  // "127.0.0.1:PORT".
  const std::string& address() const { return address_; }

  // Cuts every connection when so many further bytes have passed, in either direction: what is on its way is
  // lost, and both sides are told by a reset. New connections are taken again at once.
  void CutAfter(uint64_t bytes);
  // Cuts every connection now and takes none until Open.
  void Shut();
  void Open();

  uint64_t bytes_passed() const { return passed_.load(); }
  int cuts() const { return cuts_.load(); }

 private:
  struct Link {
    int client = -1;
    int server = -1;
    bool client_open = true;  // for reading
    bool server_open = true;
  };

  void Run();
  void Accept();
  // False when the link is to be cut.
  bool Pass(int from, int to, bool* open);
  void CutAll();
  void WakeUp();

  const std::string server_host_;
  const uint16_t server_port_;
  std::string address_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};  // a pipe

  std::atomic<uint64_t> passed_{0};
  std::atomic<int> cuts_{0};

  std::mutex mutex_;                // guards what follows
  std::optional<uint64_t> cut_at_;  // of passed_
  bool shut_ = false;
  bool stopping_ = false;

  std::list<Link> links_;  // the thread's
  std::thread thread_;
};

}  // namespace antiphon
