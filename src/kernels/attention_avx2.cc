// Compiled with AVX2 and FMA; without the flags (another architecture) there is nothing here.
#include <cstddef>
#include <cstdint>

#include "kernels/attention_loops.h"
#include "kernels/cpu_features.h"

namespace antiphon {

#if defined(__AVX2__) && defined(__FMA__)

namespace {

#define ANTIPHON_LANES 8
#include "kernels/attention_loops.inc"

constexpr AttentionLoops kLoops = {"avx2", WriteRows, ReadRows, Arrange, Attend, Fold, Clear, Finish};

}  // namespace

const AttentionLoops* Avx2AttentionLoops() { return RunsAvx2() ? &kLoops : nullptr; }

#else

const AttentionLoops* Avx2AttentionLoops() { return nullptr; }

#endif

}  // namespace antiphon
