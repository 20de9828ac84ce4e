// The model of `antiphon-bench context`: a shape with random weights, whose passes are timed and may be
// skipped.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "antiphon/status.h"
#include "common/clock.h"
#include "model/language_model.h"
#include "model/model_config.h"

namespace antiphon::bench {

// `config` of a model folder, with the backbone and the vocabulary of the shape of this name and room for so
// many positions; it knows neither pictures, manners nor functions, and tells no words. INVALID_ARGUMENT for
// a name that is none.
Result<ModelConfig> WithShape(const ModelConfig& config, const std::string& shape, int64_t max_positions);

// Passes on to another model. Forward from one thread at a time, the rest from any thread.
class ContextModel final : public LanguageModel {
 public:
  explicit ContextModel(std::unique_ptr<LanguageModel> model) : model_(std::move(model)) {}

  // One pass of the backbone.
  struct Pass {
    TimePoint end;
    Nanoseconds took{};
    int sequences = 0;
    // Of the sequence with the longest context: how long that was, and the positions run.
    int64_t context = 0;
    int64_t rows = 0;
  };

  // From now on passes compute nothing: what they should have written to the pages is random.
  void Skip(bool skip) { skip_ = skip; }
  // Where the longest context ended, skipped or not, since the last call of ForgetLongest.
  int64_t longest() const { return longest_; }
  void ForgetLongest() { longest_ = 0; }
  // Passes that were not skipped, since the last call.
  std::vector<Pass> TakePasses();
  // How many they would be.
  int64_t passes() const {
    const std::lock_guard lock(mutex_);
    return static_cast<int64_t>(passes_.size());
  }
  // Of one page: keys and values of all layers. 0 before there is a pool.
  int64_t page_bytes() const { return page_bytes_; }

  KvPool MakePool(int64_t pages, int64_t page_positions, KvFormat format) const override;
  at::Tensor Forward(const RaggedBatch& batch, KvPool& pool) const override;
  void CloseGap(const SequenceGap& gap, KvPool& pool) const override { model_->CloseGap(gap, pool); }
  at::Tensor SymbolLogits(const at::Tensor& states) const override { return model_->SymbolLogits(states); }
  at::Tensor DrawFrames(const at::Tensor& states, const DrawCode& draw) const override {
    return model_->DrawFrames(states, draw);
  }
  std::vector<std::vector<float>> WordScores(const at::Tensor& states,
                                             std::span<const std::span<const int64_t>> words) const override {
    return model_->WordScores(states, words);
  }
  const ModelConfig& config() const override { return model_->config(); }
  uint64_t parameters() const override { return model_->parameters(); }

 private:
  void FillPages(const SequenceSpan& span, KvPool& pool) const;

  const std::unique_ptr<LanguageModel> model_;
  mutable at::Tensor random_;  // [positions, kv_heads, head_width]
  std::atomic<bool> skip_{false};
  mutable std::atomic<int64_t> longest_{0};
  mutable std::atomic<int64_t> page_bytes_{0};
  mutable std::mutex mutex_;
  mutable std::vector<Pass> passes_;  // guarded by mutex_
};

}  // namespace antiphon::bench
