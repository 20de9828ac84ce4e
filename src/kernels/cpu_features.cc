#include "kernels/cpu_features.h"

namespace antiphon {

#if defined(__x86_64__)

bool RunsAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool RunsAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("fma");
}

bool RunsAvx512Vnni() { return RunsAvx512() && __builtin_cpu_supports("avx512vnni"); }

#else

bool RunsAvx2() { return false; }
bool RunsAvx512() { return false; }
bool RunsAvx512Vnni() { return false; }

#endif

}  // namespace antiphon
