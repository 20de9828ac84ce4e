// Closing a gap in a sequence of the paged key-value cache. Contract of kernels/linear.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/elementwise.h"
#include "kernels/sequence_gap.h"

namespace antiphon {

// Moves the rows behind the gap in a pool of MakeKvPages, as `gap` says; rows before it that stand on a page
// which is replaced are copied to the new one. With `rotary` (of keys; null for values) what moves is turned
// back by gap.rows positions: a key rotated for position p becomes the key rotated for p - gap.rows, to
// within float rounding, and in pages of bfloat16 or int8 to within one rounding more of that form. Values
// stay as they are to the bit. Checks all that it is given before it writes (c10::Error); the CPU's loops
// cannot fail after that.
void CloseGap(const SequenceGap& gap, const RotaryTable* rotary, at::Tensor* pool);

}  // namespace antiphon
