// Compiled with AVX-512; without the flags (another architecture) there is nothing here.
#include <cstdint>

#include "kernels/cpu_features.h"
#include "kernels/simd_loops.h"

namespace antiphon {

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)

namespace {

#define ANTIPHON_LANES 16
#include "kernels/simd_loops.inc"

constexpr SimdLoops kLoops = {"avx512", ArrangeBf16, ArrangeF32, MultiplyBf16, MultiplyF32, RmsNorm, SwiGlu};

}  // namespace

const SimdLoops* Avx512Loops() { return RunsAvx512() ? &kLoops : nullptr; }

#else

const SimdLoops* Avx512Loops() { return nullptr; }

#endif

}  // namespace antiphon
