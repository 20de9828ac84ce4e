// Sessions that go on later: to and from files.
#pragma once

#include <chrono>
#include <string>

#include "antiphon/client.h"
#include "antiphon/status.h"

namespace antiphon::client {

// The bytes of an exported session. NOT_FOUND, or OUT_OF_RANGE for a file that is larger than any session.
Result<std::string> ReadSessionFile(const std::string& path);

// Each sends its wish and waits for the answer; other events are dropped. Between turns only. The server's
// refusal, or DEADLINE_EXCEEDED.
Status ImportSession(Conversation& conversation, std::string snapshot, std::chrono::milliseconds timeout);
Result<std::string> ExportSession(Conversation& conversation, std::chrono::milliseconds timeout);

}  // namespace antiphon::client
