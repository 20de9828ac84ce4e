#include <cstdint>

#include "kernels/simd_loops.h"

namespace antiphon {
namespace {

#define ANTIPHON_LANES 8
#include "kernels/simd_loops.inc"

}  // namespace

const SimdLoops& PortableLoops() {
  static constexpr SimdLoops kLoops = {"portable",  ArrangeBf16, ArrangeF32, MultiplyBf16,
                                       MultiplyF32, RmsNorm,     SwiGlu};
  return kLoops;
}

const SimdLoops& BestLoops() {
  static const SimdLoops& best = *[] {
    if (const SimdLoops* loops = Avx512Loops()) return loops;
    if (const SimdLoops* loops = Avx2Loops()) return loops;
    return &PortableLoops();
  }();
  return best;
}

}  // namespace antiphon
