// Compiled with AVX2; without the flags (another architecture) there is nothing here.
#include <cstdint>

#include "kernels/cpu_features.h"
#include "kernels/int8_loops.h"

#if defined(__AVX2__)
#include <immintrin.h>  // whose functions are always inlined: no copies are left behind
#endif

namespace antiphon {

#if defined(__AVX2__)

namespace {

constexpr int64_t kStep = 16;
using Sums = __m256i;
using Weights = __m256i;

inline Weights Load(const int8_t* w) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
}

inline Sums AddProducts(Sums sum, const int16_t* x, Weights w) {
  const __m256i row = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(row, w));
}

inline int32_t Total(Sums sum) {
  __m128i v = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, _MM_SHUFFLE(1, 0, 3, 2)));
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, _MM_SHUFFLE(2, 3, 0, 1)));
  return _mm_cvtsi128_si32(v);
}

inline FourWords Totals(Sums a, Sums b, Sums c, Sums d) {
  const __m256i v = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  return reinterpret_cast<FourWords>(
      _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
}

#include "kernels/int8_loops.inc"

constexpr Int8Loops kLoops = {"avx2", Quantize, Multiply};

}  // namespace

const Int8Loops* Avx2Int8Loops() { return RunsAvx2() ? &kLoops : nullptr; }

#else

const Int8Loops* Avx2Int8Loops() { return nullptr; }

#endif

}  // namespace antiphon
