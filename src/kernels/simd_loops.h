// The inner loops of the CPU kernels, over plain arrays. One source (simd_loops.inc) compiled once an
// instruction set.
//
// What a loop computes for one row never depends on the other rows of the call: the same sums in the same
// order. That is what makes a sequence's tokens independent of its batch (tests/kernels holds it to the bit).
#pragma once

#include <cstdint>

namespace antiphon {

// Function tables so that the choice is made once, at run time. No alignment is required anywhere.
struct SimdLoops {
  const char* name;

  // Products in two parts: x [rows, in] is arranged, then multiplied. Arranged rows are rows * (in rounded up
  // to a multiple of 32) floats.
  void (*arrange_bf16)(const float* x, int64_t rows, int64_t in, float* arranged);
  void (*arrange_f32)(const float* x, int64_t rows, int64_t in, float* arranged);
  // y[r, o] = (add ? y[r, o] : 0) + sum over i of x[r, i] w[o, i] for o in [first, last); w [out, in], y
  // [rows, out].
  void (*multiply_bf16)(const float* arranged, int64_t rows, const uint16_t* w, int64_t in, int64_t out,
                        int64_t first, int64_t last, bool add, float* y);
  void (*multiply_f32)(const float* arranged, int64_t rows, const float* w, int64_t in, int64_t out,
                       int64_t first, int64_t last, bool add, float* y);

  // y = x / sqrt(mean(x^2) + eps) * weight, a row at a time; x, y [rows, width].
  void (*rms_norm)(const float* x, int64_t rows, int64_t width, const float* weight, float eps, float* y);

  // y = gate / (1 + exp(-gate)) * up, over n elements. y may be gate or up.
  void (*swiglu)(const float* gate, const float* up, int64_t n, float* y);
};

// Runs on every machine this was compiled for.
const SimdLoops& PortableLoops();
// Null when they were not compiled in or this machine lacks the instructions.
const SimdLoops* Avx2Loops();
const SimdLoops* Avx512Loops();
// The fastest of the above that this machine runs.
const SimdLoops& BestLoops();

}  // namespace antiphon
