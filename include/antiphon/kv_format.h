// The form in which the keys and values of a sequence's positions are kept.
#pragma once

namespace antiphon {

// float32; bfloat16, rounded to the nearest; or int8 with one float32 scale a position and kv head. Of a head
// of W numbers a key takes 4 W, 2 W or W + 4 bytes, and so does a value.
enum class KvFormat { kFloat32, kBfloat16, kInt8 };

}  // namespace antiphon
