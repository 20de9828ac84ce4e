// How fast this machine reads memory: the floor under every step of a model that is larger than the caches.
#pragma once

#include <cstddef>

namespace antiphon::bench {

struct Bandwidth {
  double gigabytes_per_second = 0;  // median over the passes, 1e9 bytes
  double slowest = 0;
  double fastest = 0;
};

// Reads a buffer of `bytes` from one end to the other `passes` times with `threads` threads. Give the size
// that the model's weights have: what the caches keep of the one they keep of the other. REQUIRES: all are
// positive.
Bandwidth MeasureReadBandwidth(size_t bytes, int threads, int passes);

}  // namespace antiphon::bench
