// What a client is told of a mistake.
#pragma once

#include <string>

#include "antiphon/status.h"

namespace antiphon {

// A client's mistake: what is wrong, and the field at fault as a path of the wire contract
// ("session_update.config.sampling.top_p"); empty when no field is.
struct Refusal {
  Status status;
  std::string field;
};

}  // namespace antiphon
