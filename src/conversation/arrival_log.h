// Remembers for a while which packet brought which sample, so that a moment in the audio found out later
// (where the speech ended) can be dated by when it arrived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "antiphon/types.h"

namespace antiphon {

class ArrivalLog {
 public:
  // The packet that ends before sample `end` (counted from the start of the stream) arrived at `time`.
  // REQUIRES: neither `end` nor `time` goes back.
  void Add(uint64_t end, TimePoint time);

  // When the packet that held `sample` arrived. A sample older than the log is dated by its oldest packet,
  // one not yet there by the newest. REQUIRES: Add was called.
  TimePoint TimeOf(uint64_t sample) const;

  void Reset() { packets_.clear(); }

 private:
  static constexpr size_t kMaxPackets = 512;  // over 10 s of the usual 20 ms packets

  struct Packet {
    uint64_t end;
    TimePoint time;
  };
  std::deque<Packet> packets_;
};

}  // namespace antiphon
