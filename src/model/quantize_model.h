// Makes an int8 model folder of another.
#pragma once

#include <cstdint>
#include <string>

#include "antiphon/status.h"

namespace antiphon {

struct QuantizedModel {
  int matrices = 0;           // that became int8
  uint64_t bytes_before = 0;  // of backbone.safetensors
  uint64_t bytes_after = 0;
};

// Writes to the new folder `out` what the files of folder `model` hold, with every matrix of
// backbone.safetensors that is multiplied with (so no embeddings) rounded to int8: what loading it with
// WeightFormat::kInt8 makes. Matrices that are int8 already stay as they are, and so does config.json. The
// folder appears when it is complete; until then it is called `out`.partial, and is removed after a failure.
//
// NOT_FOUND or DATA_LOSS, as for loading it, when the model is missing or broken; FAILED_PRECONDITION when
// `out` or `out`.partial exists; UNAVAILABLE when something cannot be written. Throws what libtorch throws.
Result<QuantizedModel> QuantizeModel(const std::string& model, const std::string& out);

}  // namespace antiphon
