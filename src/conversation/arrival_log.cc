#include "conversation/arrival_log.h"

#include <algorithm>

namespace antiphon {

void ArrivalLog::Add(uint64_t end, TimePoint time) {
  if (packets_.size() == kMaxPackets) packets_.pop_front();
  packets_.push_back({end, time});
}

TimePoint ArrivalLog::TimeOf(uint64_t sample) const {
  const auto found = std::upper_bound(packets_.begin(), packets_.end(), sample,
                                      [](uint64_t s, const Packet& packet) { return s < packet.end; });
  return found == packets_.end() ? packets_.back().time : found->time;
}

}  // namespace antiphon
