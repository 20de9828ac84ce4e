// The server: its services on one port.
#pragma once

#include <memory>
#include <string>

#include "antiphon/engine.h"
#include "antiphon/status.h"
#include "server/server_options.h"

namespace antiphon {

// Serves from Start until Stop. Thread-safe.
class Server {
 public:
  virtual ~Server() = default;  // stops without patience

  // `engine` outlives the server. INVALID_ARGUMENT for options that cannot be, UNAVAILABLE when one of the
  // addresses cannot be listened on.
  static Result<std::unique_ptr<Server>> Start(Engine& engine, const ServerOptions& options);

  // "HOST:PORT" with the port in use.
  virtual const std::string& address() const = 0;
  // Likewise, of the metrics; empty when options.metrics_address is.
  virtual std::string metrics_address() const = 0;
  // Sessions that hold a sequence of the engine.
  virtual int open_sessions() const = 0;

  // Reports NOT_SERVING, refuses new sessions, lets responses under way finish within options.drain, ends
  // what is left and returns when no call is open.
  virtual void Stop() = 0;
};

}  // namespace antiphon
