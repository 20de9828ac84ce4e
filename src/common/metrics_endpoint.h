// Where Prometheus fetches what a process measures.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "antiphon/status.h"

namespace prometheus {
class Collectable;
class Exposer;
}  // namespace prometheus

namespace antiphon {

// Serves GET /metrics over HTTP, in Prometheus' text format, from threads of its own until it is destroyed.
// Everyone who reaches the address may read; there is no password and no TLS. Whatever is sent there costs at
// most its threads: a request has to be complete, and its answer taken, within some seconds, its head may
// have 16 KiB, and connections beyond a few wait to be accepted. Thread-safe.
class MetricsEndpoint {
 public:
  // INVALID_ARGUMENT for what is not HOST:PORT. HOST is a name or an IPv4 address.
  static Status CheckAddress(const std::string& address);

  // Collects from all `sources` for each request, on its threads; nothing may wait in there for long. Port 0
  // lets the system choose. INVALID_ARGUMENT as CheckAddress, UNAVAILABLE when the address cannot be listened
  // on.
  static Result<std::unique_ptr<MetricsEndpoint>> Start(
      const std::string& address, std::vector<std::shared_ptr<prometheus::Collectable>> sources);
  // Takes 2 s, and some more while clients are connected.
  ~MetricsEndpoint();

  // "HOST:PORT" with the port in use.
  const std::string& address() const { return address_; }

 private:
  MetricsEndpoint(std::string address, std::vector<std::shared_ptr<prometheus::Collectable>> sources,
                  std::unique_ptr<prometheus::Exposer> exposer);

  const std::string address_;
  const std::vector<std::shared_ptr<prometheus::Collectable>> sources_;
  const std::unique_ptr<prometheus::Exposer> exposer_;  // ends before what it collects from
};

}  // namespace antiphon
