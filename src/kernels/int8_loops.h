// Products with int8 weights, over plain arrays. One source (int8_loops.inc) compiled once an instruction
// set.
//
// A matrix has one float scale an output row. A row of x becomes 16-bit integers on the way in, with a step
// of its own for each block of 512 numbers. So nearly all of the error is the weights'; no float is touched
// within a block; and 16-bit products with sums in pairs are one instruction everywhere (on AVX2 as fast as
// 8-bit ones: 32 products of those take two multiplications, a sign and a sum; of these, two and two sums).
// 512 is the largest block of which no sum can leave 32 bits, whatever the bytes of the matrix are: 512 * 128
// * 32767 < 2^31.
//
// Sums of integers do not depend on their order and nothing is contracted, so every form computes the same
// to the bit; and what it computes for one row never depends on the other rows of the call.
#pragma once

#include <cstdint>

namespace antiphon {

constexpr int64_t kInt8Block = 512;

// What the forms fold four sums into.
using FourWords = int32_t __attribute__((vector_size(16)));

// The rows of x as integers: x[r, i] is about values[r * stride + i] * steps[r * blocks + i / kInt8Block].
struct Int8Rows {
  static int64_t Stride(int64_t in) { return (in + 31) / 32 * 32; }  // zeros after the first `in`
  static int64_t Blocks(int64_t in) { return (in + kInt8Block - 1) / kInt8Block; }

  int16_t* values;  // [rows, Stride(in)]
  float* steps;     // [rows, Blocks(in)]
};

// No alignment is required anywhere.
struct Int8Loops {
  const char* name;

  // x [rows, in]. A block that holds a NaN or an infinity makes its whole row of the product NaN; numbers
  // below 1e-30 count as 0 in a block of nothing larger.
  void (*quantize)(const float* x, int64_t rows, int64_t in, const Int8Rows& to);

  // y[r, o] = (add ? y[r, o] : 0) + scales[o] * sum over i of x[r, i] w[o, i], for o in [first, last);
  // w [out, in], scales [out], y [rows, out].
  void (*multiply)(const Int8Rows& x, int64_t rows, const int8_t* w, const float* scales, int64_t in,
                   int64_t out, int64_t first, int64_t last, bool add, float* y);
};

// Runs on every machine this was compiled for.
const Int8Loops& PortableInt8Loops();
// Null when they were not compiled in or this machine lacks the instructions.
const Int8Loops* Avx2Int8Loops();
const Int8Loops* Avx512Int8Loops();
const Int8Loops* Avx512VnniInt8Loops();
// The fastest of the above that this machine runs.
const Int8Loops& BestInt8Loops();

}  // namespace antiphon
