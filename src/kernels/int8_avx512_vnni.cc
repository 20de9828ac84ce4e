// Compiled with AVX-512 and its VNNI; without the flags (another architecture) there is nothing here.
#include <cstdint>

#include "kernels/int8_loops.h"

#if defined(__AVX512BW__) && defined(__AVX512VNNI__)
#include <immintrin.h>  // whose functions are always inlined: no copies are left behind
#endif

namespace antiphon {

#if defined(__AVX512BW__) && defined(__AVX512VNNI__)

namespace {

#include "kernels/int8_avx512.inc"
#include "kernels/int8_loops.inc"

constexpr Int8Loops kLoops = {"avx512-vnni", Quantize, Multiply};

}  // namespace

const Int8Loops* Avx512VnniInt8Loops() {
  const bool all = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vnni");
  return all ? &kLoops : nullptr;
}

#else

const Int8Loops* Avx512VnniInt8Loops() { return nullptr; }

#endif

}  // namespace antiphon
