// The engine behind the public promise: the loop, its thread, and the sequences' owners' side.
#pragma once

#include <memory>

#include "antiphon/engine.h"
#include "antiphon/status.h"
#include "common/clock.h"
#include "model/audio_codec.h"
#include "model/image_codec.h"
#include "model/language_model.h"
#include "model/text_tokenizer.h"

namespace antiphon {

// What a model folder holds, loaded.
struct EngineModules {
  std::unique_ptr<LanguageModel> model;
  std::unique_ptr<AudioCodec> codec;
  TextTokenizer tokenizer;
  std::unique_ptr<ImageCodec> image_codec;  // null for a model that knows no pictures
  uint32_t weights_checksum = 0;            // of the backbone's file
};

// Starts an engine on `modules`, warm and ready. INVALID_ARGUMENT for options out of range or modules that do
// not belong together; the first error of the warm-up. `clock` outlives the engine.
Result<std::unique_ptr<Engine>> StartEngine(EngineModules modules, const EngineOptions& options,
                                            const Clock& clock);

}  // namespace antiphon
