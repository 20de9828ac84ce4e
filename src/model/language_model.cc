#include "model/language_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/tensor.h>

#include <utility>

#include "model/backbone.h"
#include "model/depth_decoder.h"
#include "model/safetensors.h"
#include "model/weight_reader.h"

namespace antiphon {
namespace {

at::Tensor ReadWordHead(const ModelConfig& config, WeightReader* reader) {
  if (!config.word_head) return {};
  return reader->Table("word_head", config.symbols.text_pieces, config.backbone.width);
}

class LoadedLanguageModel final : public LanguageModel {
 public:
  LoadedLanguageModel(const ModelConfig& config, at::Device device, WeightReader* reader)
      : config_(config),
        backbone_(config, device, reader),
        depth_(config, device, reader),
        word_head_(ReadWordHead(config, reader)),
        parameters_(reader->parameters()) {}

  KvPool MakePool(int64_t pages, int64_t page_positions, KvFormat format) const override {
    return backbone_.MakePool(pages, page_positions, format);
  }

  at::Tensor Forward(const RaggedBatch& batch, KvPool& pool) const override {
    const at::NoGradGuard no_grad;
    return backbone_.Forward(batch, &pool);
  }

  void CloseGap(const SequenceGap& gap, KvPool& pool) const override {
    const at::NoGradGuard no_grad;
    backbone_.CloseGap(gap, &pool);
  }

  at::Tensor SymbolLogits(const at::Tensor& states) const override {
    const at::NoGradGuard no_grad;
    return backbone_.SymbolLogits(states);
  }

  at::Tensor DrawFrames(const at::Tensor& states, const DrawCode& draw) const override {
    const at::NoGradGuard no_grad;
    return depth_.DrawFrames(states, draw);
  }

  std::vector<std::vector<float>> WordScores(const at::Tensor& states,
                                             std::span<const std::span<const int64_t>> words) const override {
    const at::NoGradGuard no_grad;
    std::vector<std::vector<float>> scores(words.size());
    if (!word_head_.defined()) return scores;
    for (size_t row = 0; row < words.size(); ++row) {
      const std::vector<int64_t> pieces(words[row].begin(), words[row].end());
      const at::Tensor index = at::tensor(pieces, at::kLong).to(word_head_.device());
      const at::Tensor candidates = word_head_.index_select(0, index).to(at::kFloat);
      const at::Tensor found = at::mv(candidates, states.select(0, static_cast<int64_t>(row))).cpu();
      const float* first = found.data_ptr<float>();
      scores[row].assign(first, first + found.numel());
    }
    return scores;
  }

  const ModelConfig& config() const override { return config_; }
  uint64_t parameters() const override { return parameters_; }

 private:
  const ModelConfig config_;
  const Backbone backbone_;
  const DepthDecoder depth_;
  const at::Tensor word_head_;  // [text_pieces, width]; undefined: it has none
  const uint64_t parameters_;
};

}  // namespace

Result<std::unique_ptr<LanguageModel>> LanguageModel::Load(const Safetensors& weights,
                                                           const ModelConfig& config, at::Device device,
                                                           WeightFormat format) {
  WeightReader reader(weights, device, format);
  auto model = std::make_unique<LoadedLanguageModel>(config, device, &reader);
  if (!reader.status().ok()) return reader.status();
  return std::unique_ptr<LanguageModel>(std::move(model));
}

}  // namespace antiphon
