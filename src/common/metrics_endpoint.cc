#include "common/metrics_endpoint.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

#include "common/logging.h"

namespace antiphon {
namespace {

constexpr int kGreatestPort = 65535;

// The library reads more into its addresses than we promise: lists, and letters behind a port for TLS and
// redirections.
bool IsHost(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-';
  });
}

bool IsPort(const std::string& text) {
  int port = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 0 && port <= kGreatestPort;
}

std::vector<std::string> ExposerOptions(const std::string& address) {
  return {"listening_ports",    address,  //
          "num_threads",        "2",      //
          "connection_queue",   "8",      // more wait in the system's backlog
          "enable_keep_alive",  "no",     // an idle client would hold a thread
          "request_timeout_ms", "3000",   //
          "max_request_size",   "16384"};
}

}  // namespace

Status MetricsEndpoint::CheckAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || !IsHost(address.substr(0, colon)) || !IsPort(address.substr(colon + 1))) {
    return InvalidArgument("the address of the metrics is \"" + address +
                           "\", must be HOST:PORT, as in 127.0.0.1:9464");
  }
  return OkStatus();
}

Result<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const std::string& address, std::vector<std::shared_ptr<prometheus::Collectable>> sources) {
  if (Status valid = CheckAddress(address); !valid.ok()) return valid;
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(ExposerOptions(address));
    for (const auto& source : sources) exposer->RegisterCollectable(source);
    const std::string port = std::to_string(exposer->GetListeningPorts().at(0));
    return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(
        address.substr(0, address.rfind(':') + 1) + port, std::move(sources), std::move(exposer)));
  } catch (const std::exception& error) {
    LogDebug("metrics: {}", error.what());  // the library's words, which do not name the address
    return Unavailable("cannot listen on " + address + " for metrics");
  }
}

MetricsEndpoint::MetricsEndpoint(std::string address,
                                 std::vector<std::shared_ptr<prometheus::Collectable>> sources,
                                 std::unique_ptr<prometheus::Exposer> exposer)
    : address_(std::move(address)), sources_(std::move(sources)), exposer_(std::move(exposer)) {}

MetricsEndpoint::~MetricsEndpoint() = default;

}  // namespace antiphon
