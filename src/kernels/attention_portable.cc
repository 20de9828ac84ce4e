#include <cstddef>
#include <cstdint>

#include "kernels/attention_loops.h"

namespace antiphon {
namespace {

#define ANTIPHON_LANES 8
#include "kernels/attention_loops.inc"

}  // namespace

const AttentionLoops& PortableAttentionLoops() {
  static constexpr AttentionLoops kLoops = {"portable", WriteRows, ReadRows, Arrange,
                                            Attend,     Fold,      Clear,    Finish};
  return kLoops;
}

const AttentionLoops& BestAttentionLoops() {
  static const AttentionLoops& best = *[] {
    if (const AttentionLoops* loops = Avx512AttentionLoops()) return loops;
    if (const AttentionLoops* loops = Avx2AttentionLoops()) return loops;
    return &PortableAttentionLoops();
  }();
  return best;
}

}  // namespace antiphon
