#include "model/language_model.h"

#include <ATen/core/grad_mode.h>

#include <utility>

#include "model/backbone.h"
#include "model/depth_decoder.h"
#include "model/safetensors.h"
#include "model/weight_reader.h"

namespace antiphon {
namespace {

class LoadedLanguageModel final : public LanguageModel {
 public:
  LoadedLanguageModel(const ModelConfig& config, torch::Device device, WeightReader* reader)
      : config_(config),
        backbone_(config, device, reader),
        depth_(config, device, reader),
        parameters_(reader->parameters()) {}

  KvPool MakePool(int64_t pages, int64_t page_positions) const override {
    return backbone_.MakePool(pages, page_positions);
  }

  torch::Tensor Forward(const RaggedBatch& batch, KvPool& pool) const override {
    const at::NoGradGuard no_grad;
    return backbone_.Forward(batch, &pool);
  }

  void CloseGap(const SequenceGap& gap, KvPool& pool) const override {
    const at::NoGradGuard no_grad;
    backbone_.CloseGap(gap, &pool);
  }

  torch::Tensor SymbolLogits(const torch::Tensor& states) const override {
    const at::NoGradGuard no_grad;
    return backbone_.SymbolLogits(states);
  }

  torch::Tensor DrawFrames(const torch::Tensor& states, const DrawCode& draw) const override {
    const at::NoGradGuard no_grad;
    return depth_.DrawFrames(states, draw);
  }

  const ModelConfig& config() const override { return config_; }
  uint64_t parameters() const override { return parameters_; }

 private:
  const ModelConfig config_;
  const Backbone backbone_;
  const DepthDecoder depth_;
  const uint64_t parameters_;
};

}  // namespace

Result<std::unique_ptr<LanguageModel>> LanguageModel::Load(const Safetensors& weights,
                                                           const ModelConfig& config, torch::Device device,
                                                           WeightFormat format) {
  WeightReader reader(weights, device, format);
  auto model = std::make_unique<LoadedLanguageModel>(config, device, &reader);
  if (!reader.status().ok()) return reader.status();
  return std::unique_ptr<LanguageModel>(std::move(model));
}

}  // namespace antiphon
