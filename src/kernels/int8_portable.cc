#include <cstdint>

#include "kernels/int8_loops.h"

namespace antiphon {
namespace {

constexpr int64_t kStep = 8;
using Sums = int32_t __attribute__((vector_size(32)));
using Weights = Sums;
using LooseBytes = int8_t __attribute__((vector_size(8), aligned(1), may_alias));
using LooseShorts = int16_t __attribute__((vector_size(16), aligned(2), may_alias));

inline Weights Load(const int8_t* w) {
  return __builtin_convertvector(*reinterpret_cast<const LooseBytes*>(w), Weights);
}

inline Sums AddProducts(Sums sum, const int16_t* x, Weights w) {
  return sum + __builtin_convertvector(*reinterpret_cast<const LooseShorts*>(x), Sums) * w;
}

inline int32_t Total(Sums sum) {
  int32_t total = 0;
  for (int i = 0; i < 8; ++i) total += sum[i];
  return total;
}

inline FourWords Totals(Sums a, Sums b, Sums c, Sums d) {
  return FourWords{Total(a), Total(b), Total(c), Total(d)};
}

#include "kernels/int8_loops.inc"

}  // namespace

const Int8Loops& PortableInt8Loops() {
  static constexpr Int8Loops kLoops = {"portable", Quantize, Multiply};
  return kLoops;
}

const Int8Loops& BestInt8Loops() {
  static const Int8Loops& best = *[] {
    if (const Int8Loops* loops = Avx512VnniInt8Loops()) return loops;
    if (const Int8Loops* loops = Avx512Int8Loops()) return loops;
    if (const Int8Loops* loops = Avx2Int8Loops()) return loops;
    return &PortableInt8Loops();
  }();
  return best;
}

}  // namespace antiphon
