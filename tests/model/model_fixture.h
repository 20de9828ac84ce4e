// Loads a model folder for tests, and runs single sequences on it without an engine.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/language_model.h"
#include "model/model_config.h"
#include "model/ragged_batch.h"
#include "model/safetensors.h"
#include "model/stream_grammar.h"

namespace antiphon {

inline const std::string kTinyModel = ANTIPHON_SOURCE_DIR "/tests/golden/tiny_model";

inline std::unique_ptr<LanguageModel> LoadLanguageModel(const std::string& folder,
                                                        WeightFormat format = WeightFormat::kAsStored) {
  const Result<ModelConfig> config = LoadModelConfig(folder);
  if (!config.ok()) throw std::runtime_error(config.status().ToString());
  const Result<Safetensors> weights = Safetensors::Open(folder + "/backbone.safetensors");
  if (!weights.ok()) throw std::runtime_error(weights.status().ToString());
  Result<std::unique_ptr<LanguageModel>> model = LanguageModel::Load(*weights, *config, at::kCPU, format);
  if (!model.ok()) throw std::runtime_error(model.status().ToString());
  return std::move(model).value();
}

// Appends a position to a batch; its span is the caller's business.
inline void AppendRow(const StreamPosition& position, RaggedBatch* batch) {
  const int64_t row = batch->rows();
  batch->symbols.push_back(position.symbol);
  const auto append = [row](const std::vector<int64_t>& codes, ChannelCodes* channel) {
    if (codes.empty()) return;
    channel->rows.push_back(row);
    channel->codes.insert(channel->codes.end(), codes.begin(), codes.end());
  };
  append(position.heard, &batch->heard);
  append(position.spoken, &batch->spoken);
}

// One sequence with a page pool of its own.
class SoloSequence {
 public:
  SoloSequence(const LanguageModel& model, int64_t pages, int64_t page_positions)
      : model_(model), pool_(model.MakePool(pages, page_positions)), pages_(pages) {
    std::iota(pages_.begin(), pages_.end(), 0);
  }

  // Runs positions as one chunk; returns their states.
  at::Tensor Run(std::span<const StreamPosition> positions) {
    RaggedBatch batch;
    for (const StreamPosition& position : positions) AppendRow(position, &batch);
    batch.spans.push_back({.first_row = 0, .rows = batch.rows(), .context = context_, .pages = pages_});
    context_ += batch.rows();
    return model_.Forward(batch, pool_);
  }

  int64_t context() const { return context_; }

 private:
  const LanguageModel& model_;
  KvPool pool_;
  std::vector<int32_t> pages_;
  int64_t context_ = 0;
};

inline std::span<const float> Floats(const at::Tensor& logits) {
  return {logits.data_ptr<float>(), static_cast<size_t>(logits.numel())};
}

}  // namespace antiphon
