// Drawing symbols and audio codes from logits. A draw depends on the logits, the options and the place in the
// sequence, never on what else is in the batch.
#pragma once

#include <cstdint>
#include <span>

#include "antiphon/types.h"

namespace antiphon {

// Names one draw of a sequence.
struct DrawPlace {
  int64_t position = 0;  // in the sequence, from 0
  int64_t channel = 0;   // 0: the symbol; 1 + k: codebook k of the spoken frame
};

// Uniform in [0, 1), a pure function of its arguments (Philox 4x32-10, so no state to save or to replay).
double UniformDraw(uint64_t seed, DrawPlace place);

// The index of the largest allowed logit, the lowest index among equals. `allowed` has one byte a logit, 0
// forbids it; empty allows all. NaN is never chosen. REQUIRES: something is allowed.
int64_t ArgMax(std::span<const float> logits, std::span<const uint8_t> allowed);

// Draws one index: repetition penalty on the indices in `repeated` (duplicates count once), then temperature,
// top-k, top-p, then the draw. Temperature 0 gives ArgMax of the penalised logits. REQUIRES: options are
// within the ranges SamplingOptions states; something is allowed.
int64_t Draw(std::span<const float> logits, std::span<const uint8_t> allowed, const SamplingOptions& options,
             std::span<const int64_t> repeated, DrawPlace place);

}  // namespace antiphon
