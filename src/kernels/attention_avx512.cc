// Compiled with AVX-512; without the flags (another architecture) there is nothing here.
#include <cstddef>
#include <cstdint>

#include "kernels/attention_loops.h"
#include "kernels/cpu_features.h"

namespace antiphon {

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)

namespace {

#define ANTIPHON_LANES 16
#include "kernels/attention_loops.inc"

constexpr AttentionLoops kLoops = {"avx512", WriteRows, ReadRows, Arrange, Attend, Fold, Clear, Finish};

}  // namespace

const AttentionLoops* Avx512AttentionLoops() { return RunsAvx512() ? &kLoops : nullptr; }

#else

const AttentionLoops* Avx512AttentionLoops() { return nullptr; }

#endif

}  // namespace antiphon
