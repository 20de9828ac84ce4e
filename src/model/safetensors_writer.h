// Writes safetensors files that model/safetensors.h reads in place.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "antiphon/status.h"

namespace antiphon {

// Writes `tensors` (contiguous, on the CPU, by name) to `path`, over what is there. The data begins at a
// multiple of 64 bytes and every tensor is aligned to its elements. INVALID_ARGUMENT for a type that the
// format lacks or a header above its 16 MiB, UNAVAILABLE when the file cannot be written; then a part of it
// may be there.
Status WriteSafetensors(const std::string& path, const std::map<std::string, at::Tensor>& tensors,
                        const std::map<std::string, std::string>& metadata);

}  // namespace antiphon
