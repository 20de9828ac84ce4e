// What the process has asked the system for, to be compared before and after something is run.
#pragma once

#include <cstdint>

namespace antiphon::bench {

struct MemoryUse {
  int64_t allocations = 0;  // calls that allocate, on any thread; 0 where they cannot be counted
  int64_t page_faults = 0;  // pages that the kernel had to map, without reading a file

  MemoryUse operator-(const MemoryUse& before) const {
    return {allocations - before.allocations, page_faults - before.page_faults};
  }
};

// Since the process began. A program that calls this has its allocations counted: malloc and its kin are
// replaced by glibc's own with a counter before them (not under sanitizers, which replace them themselves).
MemoryUse MemoryUsedSoFar();

// Memory of this process that is resident now.
int64_t ResidentBytes();

}  // namespace antiphon::bench
