// `antiphon models`: what a server has.
#pragma once

#include <string>

namespace antiphon::client {

// As RunAsk.
int RunModels(const std::string& server, bool json);

}  // namespace antiphon::client
