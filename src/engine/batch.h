// From the positions of several sequences to the flat batch of one forward pass.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/step.h"
#include "model/ragged_batch.h"

namespace antiphon {

// The batch of all positions of `items`, in order.
RaggedBatch BuildBatch(std::span<const StepItem> items);

// The rows, in that batch, of each item's last position: the only one that can have an output.
std::vector<int64_t> LastRows(std::span<const StepItem> items);

}  // namespace antiphon
