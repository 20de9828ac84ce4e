// Compiled with AVX-512; without the flags (another architecture) there is nothing here.
#include <cstdint>

#include "kernels/cpu_features.h"
#include "kernels/int8_loops.h"

#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <immintrin.h>  // whose functions are always inlined: no copies are left behind
#endif

namespace antiphon {

#if defined(__AVX512F__) && defined(__AVX512BW__)

namespace {

#include "kernels/int8_avx512.inc"
#include "kernels/int8_loops.inc"

constexpr Int8Loops kLoops = {"avx512", Quantize, Multiply};

}  // namespace

const Int8Loops* Avx512Int8Loops() { return RunsAvx512() ? &kLoops : nullptr; }

#else

const Int8Loops* Avx512Int8Loops() { return nullptr; }

#endif

}  // namespace antiphon
