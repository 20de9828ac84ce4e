#include "client/event_stream.h"

#include <algorithm>
#include <string>

namespace antiphon::client {
namespace {

constexpr size_t kSignalBytes = 64 * 1024;
constexpr size_t kEventBytes = 128;  // besides its content

}  // namespace

size_t CostOf(const v1::ClientEvent& event) { return kEventBytes + event.ByteSizeLong(); }

Status CheckRoom(EventStream::Room room, size_t queued_bytes, size_t max_queued_bytes) {
  // Not added to the limit, which may be any number.
  const size_t further = room == EventStream::Room::kSignal ? std::min(kSignalBytes, queued_bytes) : 0;
  if (room == EventStream::Room::kGranted || queued_bytes - further < max_queued_bytes) return OkStatus();
  return ResourceExhausted(std::to_string(queued_bytes) + " bytes wait to be sent, max_queued_bytes is " +
                           std::to_string(max_queued_bytes));
}

}  // namespace antiphon::client
