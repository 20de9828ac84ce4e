// Models with random weights: what a step costs depends on the shape and the form of the weights, not on
// their values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "antiphon/status.h"
#include "bench/model_shapes.h"
#include "model/language_model.h"
#include "model/model_config.h"

namespace antiphon::bench {

enum class RandomWeights : uint8_t { kFloat32, kBFloat16, kInt8 };

// "f32", "bf16", "int8". REQUIRES: it is one of them.
RandomWeights RandomWeightsNamed(const std::string& name);

// The shape of that name, or that of the backbone which the `config.json` in the folder of that name
// describes. NOT_FOUND when it is neither, DATA_LOSS when the file is not as docs/model_format.md says.
Result<ModelShape> FindModelShape(const std::string& name_or_folder);

// Writes `config.json` and `backbone.safetensors` to `folder`, which exists: a model of the shape, the same
// for the same seed, whose depth decoder is a tiny one. The values are such that activations stay about 1.
// UNAVAILABLE when a file cannot be written.
Status WriteRandomModel(const ModelShape& shape, RandomWeights weights, uint64_t seed,
                        const std::string& folder);

struct RandomModel {
  std::unique_ptr<LanguageModel> model;
  // Of the layers and the head, in the form they have: what each step reads once.
  int64_t step_bytes = 0;
};

// Writes such a model to a folder of its own under the system's temporary folder, loads it as any model, its
// file mapped and in the page cache, and removes the folder: the mapping keeps the data until the model goes.
// UNAVAILABLE when there is no room; otherwise as LanguageModel::Load.
Result<RandomModel> LoadRandomModel(const ModelShape& shape, RandomWeights weights, uint64_t seed);
// Likewise, one with all that `config` says, which has neither pictures, words nor manners.
Result<RandomModel> LoadRandomModel(const ModelConfig& config, RandomWeights weights, uint64_t seed);

}  // namespace antiphon::bench
