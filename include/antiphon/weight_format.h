// The form in which a language model's matrices are kept.
#pragma once

namespace antiphon {

// As the model's file has them, or int8: floating-point matrices are rounded while the model is loaded
// (docs/model_format.md says how).
enum class WeightFormat { kAsStored, kInt8 };

}  // namespace antiphon
