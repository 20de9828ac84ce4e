// Which form of a kernel runs: our loops on the CPU, plain ATen elsewhere.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/attention_loops.h"
#include "kernels/int8_loops.h"
#include "kernels/simd_loops.h"

namespace antiphon {

// True when kernels on `x` run our loops: x is on the CPU and no guard below says otherwise.
bool UseCpuLoops(const at::Tensor& x);

// The loops they run.
const SimdLoops& CpuLoops();
const Int8Loops& CpuInt8Loops();
const AttentionLoops& CpuAttentionLoops();

// While it lives, kernels on this thread run as plain ATen, or with the given loops. For tests, which hold
// the forms against each other.
class KernelFormGuard {
 public:
  static KernelFormGuard Aten() { return {true, nullptr, nullptr, nullptr}; }
  static KernelFormGuard Loops(const SimdLoops& loops) { return {false, &loops, nullptr, nullptr}; }
  static KernelFormGuard Loops(const Int8Loops& loops) { return {false, nullptr, &loops, nullptr}; }
  static KernelFormGuard Loops(const AttentionLoops& loops) { return {false, nullptr, nullptr, &loops}; }
  ~KernelFormGuard();
  KernelFormGuard(const KernelFormGuard&) = delete;
  KernelFormGuard& operator=(const KernelFormGuard&) = delete;

 private:
  KernelFormGuard(bool aten, const SimdLoops* loops, const Int8Loops* int8_loops,
                  const AttentionLoops* attention_loops);

  const bool outer_aten_;
  const SimdLoops* const outer_loops_;
  const Int8Loops* const outer_int8_loops_;
  const AttentionLoops* const outer_attention_loops_;
};

}  // namespace antiphon
