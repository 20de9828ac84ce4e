// Where the rows of a batch belong in the paged key-value cache.
#pragma once

#include <cstdint>
#include <vector>

namespace antiphon {

// Consecutive positions of one sequence within a batch.
struct SequenceSpan {
  int64_t first_row = 0;       // in the batch
  int64_t rows = 0;            // positions run now
  int64_t context = 0;         // positions of the sequence already in the cache; the span's first position
  std::vector<int32_t> pages;  // page table; covers context + rows positions
};

}  // namespace antiphon
