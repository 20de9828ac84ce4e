#include "common/metrics_endpoint.h"

#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <exception>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "common/logging.h"

namespace antiphon {
namespace {

constexpr int kGreatestPort = 65535;

constexpr unsigned int kMostConnections = 16;
constexpr unsigned int kPatienceSeconds = 3;
constexpr size_t kMostBytes = 16384;  // of a connection

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

using Sources = std::vector<std::shared_ptr<prometheus::Collectable>>;

MHD_Result Respond(MHD_Connection* connection, unsigned int status, const std::string& text) {
  MHD_Response* response =
      MHD_create_response_from_buffer(text.size(), const_cast<char*>(text.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  const MHD_Result queued = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return queued;
}

std::string Exposition(const Sources& sources) {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& source : sources) {
    std::vector<prometheus::MetricFamily> some = source->Collect();
    std::move(some.begin(), some.end(), std::back_inserter(families));
  }
  return prometheus::TextSerializer().Serialize(families);
}

// Called by the library for each request; `sources` are the endpoint's.
MHD_Result Answer(void* sources, MHD_Connection* connection, const char* path, const char* method,
                  const char*, const char*, size_t*, void**) {
  try {
    if (std::string_view(method) != MHD_HTTP_METHOD_GET) {
      return Respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET is served\n");
    }
    if (std::string_view(path) != "/metrics")
      return Respond(connection, MHD_HTTP_NOT_FOUND, "see /metrics\n");
    return Respond(connection, MHD_HTTP_OK, Exposition(*static_cast<const Sources*>(sources)));
  } catch (const std::exception& error) {
    LogError("metrics: {}", error.what());
    return MHD_NO;
  }
}

// The first IPv4 address of HOST:PORT; nullopt when there is none. REQUIRES: CheckAddress.
std::optional<sockaddr_in> Resolve(const std::string& address) {
  const size_t colon = address.rfind(':');
  addrinfo wanted{};
  wanted.ai_family = AF_INET;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string host = address.substr(0, colon), port = address.substr(colon + 1);
  if (getaddrinfo(host.c_str(), port.c_str(), &wanted, &found) != 0) return std::nullopt;
  sockaddr_in resolved{};
  std::memcpy(&resolved, found->ai_addr, sizeof resolved);
  freeaddrinfo(found);
  return resolved;
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

Result<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(const std::string& address, Sources sources) {
  if (Status valid = CheckAddress(address); !valid.ok()) return valid;
  const Status unavailable = Unavailable("cannot listen on " + address + " for metrics");
  const std::optional<sockaddr_in> resolved = Resolve(address);
  if (!resolved) return unavailable;
  std::unique_ptr<MetricsEndpoint> endpoint(new MetricsEndpoint(std::move(sources)));
  endpoint->daemon_ =
      MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, nullptr, nullptr, &Answer,
                       const_cast<Sources*>(&endpoint->sources_), MHD_OPTION_SOCK_ADDR, &*resolved,
                       MHD_OPTION_CONNECTION_LIMIT, kMostConnections, MHD_OPTION_CONNECTION_TIMEOUT,
                       kPatienceSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMostBytes, MHD_OPTION_END);
  if (endpoint->daemon_ == nullptr) return unavailable;
  const MHD_DaemonInfo* info = MHD_get_daemon_info(endpoint->daemon_, MHD_DAEMON_INFO_BIND_PORT);
  if (info == nullptr) return unavailable;
  endpoint->address_ = address.substr(0, address.rfind(':') + 1) + std::to_string(info->port);
  return endpoint;
}

MetricsEndpoint::~MetricsEndpoint() {
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

}  // namespace antiphon
