#include "kernels/dispatch.h"

namespace antiphon {
namespace {

thread_local bool forced_aten = false;
thread_local const SimdLoops* forced_loops = nullptr;

}  // namespace

bool UseCpuLoops(const torch::Tensor& x) { return x.is_cpu() && !forced_aten; }

const SimdLoops& CpuLoops() { return forced_loops != nullptr ? *forced_loops : BestLoops(); }

KernelFormGuard::KernelFormGuard(bool aten, const SimdLoops* loops)
    : outer_aten_(forced_aten), outer_loops_(forced_loops) {
  forced_aten = aten;
  forced_loops = loops;
}

KernelFormGuard::~KernelFormGuard() {
  forced_aten = outer_aten_;
  forced_loops = outer_loops_;
}

}  // namespace antiphon
