#include "client/session_file.h"

#include <algorithm>
#include <fstream>
#include <utility>
#include <variant>

namespace antiphon::client {
namespace {

constexpr size_t kMaxBytes = 4 << 20;  // of a message

template <typename Answer>
Result<Answer> Await(Conversation& conversation, std::chrono::milliseconds timeout) {
  const auto give_up = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const auto left = std::max(give_up - std::chrono::steady_clock::now(), std::chrono::nanoseconds::zero());
    Result<Event> event = conversation.NextEvent(left);
    if (!event.ok()) return event.status();
    if (auto* answer = std::get_if<Answer>(&event->body)) return std::move(*answer);
    if (const auto* error = std::get_if<ServerError>(&event->body)) return error->status;
    if (const auto* closed = std::get_if<Closed>(&event->body)) {
      if (!closed->status.ok()) return closed->status;
      return Unavailable("the server ended the conversation");
    }
  }
}

}  // namespace

Result<std::string> ReadSessionFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kMaxBytes + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.is_open() || file.bad()) return NotFound(path + " cannot be read");
  if (file.good()) return OutOfRange(path + " is larger than 4 MiB");
  bytes.resize(static_cast<size_t>(file.gcount()));
  if (bytes.empty()) return InvalidArgument(path + " is empty");
  return bytes;
}

Status ImportSession(Conversation& conversation, std::string snapshot, std::chrono::milliseconds timeout) {
  if (Status status = conversation.Import(std::move(snapshot)); !status.ok()) return status;
  return Await<SessionImported>(conversation, timeout).status();
}

Result<std::string> ExportSession(Conversation& conversation, std::chrono::milliseconds timeout) {
  if (Status status = conversation.Export(); !status.ok()) return status;
  Result<SessionExported> exported = Await<SessionExported>(conversation, timeout);
  if (!exported.ok()) return exported.status();
  return std::move(exported->snapshot);
}

}  // namespace antiphon::client
