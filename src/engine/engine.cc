// The composition root: from a model folder to a running engine.
#include "antiphon/engine.h"

#include <c10/util/Exception.h>

#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "common/clock.h"
#include "common/logging.h"
#include "engine/engine_impl.h"
#include "model/audio_codec.h"
#include "model/image_codec.h"
#include "model/language_model.h"
#include "model/model_config.h"
#include "model/safetensors.h"
#include "model/text_tokenizer.h"

namespace antiphon {
namespace {

Result<EngineModules> LoadModules(const std::string& folder, WeightFormat format) {
  const Result<ModelConfig> config = LoadModelConfig(folder);
  if (!config.ok()) return config.status();
  const at::Device device(at::kCPU);

  const Result<Safetensors> backbone = Safetensors::Open(folder + "/backbone.safetensors");
  if (!backbone.ok()) return backbone.status();
  Result<std::unique_ptr<LanguageModel>> model = LanguageModel::Load(*backbone, *config, device, format);
  if (!model.ok()) return model.status();

  const Result<Safetensors> codec_weights = Safetensors::Open(folder + "/audio_codec.safetensors");
  if (!codec_weights.ok()) return codec_weights.status();
  Result<std::unique_ptr<AudioCodec>> codec = AudioCodec::Load(*codec_weights, *config, device);
  if (!codec.ok()) return codec.status();

  Result<TextTokenizer> tokenizer = TextTokenizer::Load(folder + "/tokenizer.model", config->symbols);
  if (!tokenizer.ok()) return tokenizer.status();
  EngineModules modules{std::move(model).value(), std::move(codec).value(), std::move(tokenizer).value(),
                        nullptr, backbone->Checksum()};
  // The stored matrices have been read, and will not be again: the model has int8 ones of its own.
  if (format == WeightFormat::kInt8) backbone->Release();
  if (!config->image.known()) return modules;

  const Result<Safetensors> image_weights = Safetensors::Open(folder + "/image_codec.safetensors");
  if (!image_weights.ok()) return image_weights.status();
  Result<std::unique_ptr<ImageCodec>> image_codec = ImageCodec::Load(*image_weights, *config, device);
  if (!image_codec.ok()) return image_codec.status();
  modules.image_codec = std::move(image_codec).value();
  return modules;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Create(const std::string& model_folder,
                                               const EngineOptions& options) {
  try {
    Result<EngineModules> modules = LoadModules(model_folder, options.weights);
    if (!modules.ok()) return modules.status();
    auto engine = StartEngine(std::move(modules).value(), options, SystemClock::Get());
    if (engine.ok()) LogInfo("engine ready with {}", model_folder);
    return engine;
  } catch (const c10::Error& error) {
    return DataLoss(model_folder + " cannot be loaded: " + error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("not enough memory for " + model_folder);
  } catch (const std::exception& error) {
    return DataLoss(model_folder + " cannot be loaded: " + error.what());
  }
}

}  // namespace antiphon
