// The model whose recordings are fuzzed: small, so that a record is mostly what it says and not samples.
#pragma once

#include "engine/recording.h"
#include "model/model_config.h"

namespace antiphon::fuzz {

inline ModelIdentity RecordingModel() { return {"small", "v0", 7}; }

inline ModelConfig RecordingModelConfig() {
  ModelConfig config;
  config.symbols = {.vocab_size = 84, .text_pieces = 64};
  config.frame_samples = 16;
  config.codebook_sizes = {40, 24};
  config.max_positions = 512;
  config.image = {.side = 24, .grid = 3, .codebook_size = 12, .begin = 65, .end = 66, .first_code = 70};
  return config;
}

}  // namespace antiphon::fuzz
