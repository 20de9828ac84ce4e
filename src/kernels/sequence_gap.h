// Positions that leave the middle of a sequence in the paged key-value cache.
#pragma once

#include <cstdint>
#include <vector>

namespace antiphon {

// The positions [first, first + rows) leave, and those behind move up by `rows`, so that none is missing.
struct SequenceGap {
  int64_t first = 0;
  int64_t rows = 0;
  int64_t length = 0;           // of the sequence before
  std::vector<int32_t> before;  // its page table; covers `length` positions
  // Its page table afterwards; covers length - rows positions. A page is the one that stood in its place
  // before, and is then written in place, or one that `before` does not have.
  std::vector<int32_t> after;
};

}  // namespace antiphon
