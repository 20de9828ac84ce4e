// Puts numbered packets of a transport that loses, repeats and overtakes them back in order.
#pragma once

#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "antiphon/types.h"

namespace antiphon {

// Numbers go up by one a packet, and behind the highest comes 0. A packet whose turn has come waits for
// nothing; one that is ahead of its turn waits for those before it, at most kMaxHeld packets and kMaxWait
// long: then what has not come by then is lost. The first number is free. Holds at most kMaxHeld + 1 packets.
// Not thread-safe.
class ReorderBuffer {
 public:
  static constexpr size_t kMaxHeld = 5;
  static constexpr std::chrono::milliseconds kMaxWait{100};
  // From the number whose turn it is, to either side; what is farther away is of another count.
  static constexpr int kMaxDistance = 100;

  enum class Arrival {
    kTaken,
    kDuplicate,  // it is here or was
    kLate,       // it was given up as lost
    kTooFar,     // over kMaxDistance away; forgotten, unless the next packet is the one behind it:
    kNewCount    // that packet. It was not taken: Reset, and push it again.
  };
  // Keeps a copy of a packet that is kTaken; of others nothing is kept.
  Arrival Push(uint32_t number, std::string_view packet, TimePoint received);

  struct Released {
    std::string packet;
    TimePoint received;
    uint32_t lost = 0;  // packets before it that were given up
  };
  // The next packet whose turn has come. Call until there is none, after Push and now and then. For a packet
  // that waits since before `ready` (the caller could not have pushed what it waits for) the wait counts from
  // then.
  std::optional<Released> Pop(TimePoint now, TimePoint ready);
  // The next packet, whatever is missing before it.
  std::optional<Released> PopAny();

  // How far `number` is ahead of the number whose turn it is; 0 before the first.
  int32_t Distance(uint32_t number) const;
  bool empty() const { return held_.empty(); }
  // Forgets everything: the next number is free again.
  void Reset();

 private:
  struct Held {
    uint32_t number;
    std::string packet;
    TimePoint received;
  };

  bool Overdue(TimePoint now, TimePoint ready) const;

  std::optional<uint32_t> due_;  // the number whose turn it is
  std::vector<Held> held_;       // in order of their numbers
  // Of the numbers before due_: whether they came. Bit 0 is the last.
  std::bitset<kMaxDistance> came_;
  std::optional<uint32_t> new_count_;  // the number behind the last one that was too far away
};

}  // namespace antiphon
