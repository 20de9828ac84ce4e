#include "kernels/dispatch.h"

namespace antiphon {
namespace {

thread_local bool forced_aten = false;
thread_local const SimdLoops* forced_loops = nullptr;
thread_local const Int8Loops* forced_int8_loops = nullptr;
thread_local const AttentionLoops* forced_attention_loops = nullptr;

}  // namespace

bool UseCpuLoops(const at::Tensor& x) { return x.is_cpu() && !forced_aten; }

const SimdLoops& CpuLoops() { return forced_loops != nullptr ? *forced_loops : BestLoops(); }

const Int8Loops& CpuInt8Loops() {
  return forced_int8_loops != nullptr ? *forced_int8_loops : BestInt8Loops();
}

const AttentionLoops& CpuAttentionLoops() {
  return forced_attention_loops != nullptr ? *forced_attention_loops : BestAttentionLoops();
}

KernelFormGuard::KernelFormGuard(bool aten, const SimdLoops* loops, const Int8Loops* int8_loops,
                                 const AttentionLoops* attention_loops)
    : outer_aten_(forced_aten),
      outer_loops_(forced_loops),
      outer_int8_loops_(forced_int8_loops),
      outer_attention_loops_(forced_attention_loops) {
  forced_aten = aten;
  forced_loops = loops;
  forced_int8_loops = int8_loops;
  forced_attention_loops = attention_loops;
}

KernelFormGuard::~KernelFormGuard() {
  forced_aten = outer_aten_;
  forced_loops = outer_loops_;
  forced_int8_loops = outer_int8_loops_;
  forced_attention_loops = outer_attention_loops_;
}

}  // namespace antiphon
