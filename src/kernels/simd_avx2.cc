// Compiled with AVX2 and FMA; without the flags (another architecture) there is nothing here.
#include <cstdint>

#include "kernels/cpu_features.h"
#include "kernels/simd_loops.h"

namespace antiphon {

#if defined(__AVX2__) && defined(__FMA__)

namespace {

#define ANTIPHON_LANES 8
#include "kernels/simd_loops.inc"

constexpr SimdLoops kLoops = {"avx2", ArrangeBf16, ArrangeF32, MultiplyBf16, MultiplyF32, RmsNorm, SwiGlu};

}  // namespace

const SimdLoops* Avx2Loops() { return RunsAvx2() ? &kLoops : nullptr; }

#else

const SimdLoops* Avx2Loops() { return nullptr; }

#endif

}  // namespace antiphon
