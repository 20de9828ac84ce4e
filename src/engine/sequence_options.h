// The ranges of a sequence's and the engine's settings.
#pragma once

#include "antiphon/engine.h"
#include "antiphon/status.h"

namespace antiphon {

// INVALID_ARGUMENT naming the field and its range.
Status Validate(const SequenceOptions& options);
Status Validate(const EngineOptions& options);

// `options` with every field that is out of range moved to the nearest limit.
SequenceOptions Clamped(const SequenceOptions& options);

}  // namespace antiphon
