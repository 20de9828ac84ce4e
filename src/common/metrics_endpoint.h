// Where Prometheus fetches what a process measures.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "antiphon/status.h"

struct MHD_Daemon;
namespace prometheus {
class Collectable;
}  // namespace prometheus

namespace antiphon {

// Serves GET /metrics over HTTP, in Prometheus' text format, from a thread of its own until it is destroyed.
// Everyone who reaches the address may read; there is no password and no TLS. Whatever is sent there costs
// little: the thread waits for nobody, a connection on which nothing happens for 3 s is closed and may take
// 16 KiB of memory, and there are at most 16 of them. Thread-safe.
class MetricsEndpoint {
 public:
  // INVALID_ARGUMENT for what is not HOST:PORT. HOST is a name or an IPv4 address.
  static Status CheckAddress(const std::string& address);

  // Collects from all `sources` for each request, on its thread; nothing may wait in there for long. Port 0
  // lets the system choose. INVALID_ARGUMENT as CheckAddress, UNAVAILABLE when the address cannot be listened
  // on.
  static Result<std::unique_ptr<MetricsEndpoint>> Start(
      const std::string& address, std::vector<std::shared_ptr<prometheus::Collectable>> sources);
  // Cuts off whoever is connected.
  ~MetricsEndpoint();

  // "HOST:PORT" with the port in use.
  const std::string& address() const { return address_; }

 private:
  explicit MetricsEndpoint(std::vector<std::shared_ptr<prometheus::Collectable>> sources)
      : sources_(std::move(sources)) {}

  std::string address_;
  const std::vector<std::shared_ptr<prometheus::Collectable>> sources_;
  MHD_Daemon* daemon_ = nullptr;  // ends before what it collects from
};

}  // namespace antiphon
