#include "bench/context_model.h"

#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <utility>

#include "bench/model_shapes.h"
#include "kernels/kv_rows.h"

namespace antiphon::bench {
namespace {

const SequenceSpan& Longest(const RaggedBatch& batch) {
  return *std::ranges::max_element(batch.spans, {},
                                   [](const SequenceSpan& span) { return span.context + span.rows; });
}

}  // namespace

Result<ModelConfig> WithShape(const ModelConfig& config, const std::string& shape, int64_t max_positions) {
  ModelConfig shaped = config;
  shaped.max_positions = max_positions;
  shaped.word_head = false;
  shaped.image = {};
  shaped.manner = {};
  shaped.tools = {};
  shaped.max_instruction_pieces = 0;
  if (shape == "model") return shaped;
  const auto named = ModelShapes().find(shape);
  if (named == ModelShapes().end()) {
    return InvalidArgument("the shape is \"" + shape + "\", must be model, wren, b0.4 or b1.2");
  }
  const ModelShape& wanted = named->second;
  shaped.symbols.vocab_size = wanted.vocabulary;
  shaped.backbone = {.width = wanted.width,
                     .layers = wanted.layers,
                     .heads = wanted.heads,
                     .kv_heads = wanted.kv_heads,
                     .head_width = wanted.head_width,
                     .mlp_width = wanted.mlp_width};
  return shaped;
}

std::vector<ContextModel::Pass> ContextModel::TakePasses() {
  const std::lock_guard lock(mutex_);
  return std::exchange(passes_, {});
}

KvPool ContextModel::MakePool(int64_t pages, int64_t page_positions, KvFormat format) const {
  KvPool pool = model_->MakePool(pages, page_positions, format);
  int64_t bytes = 0;
  for (const auto* tensors : {&pool.keys, &pool.values}) {
    for (const at::Tensor& layer : *tensors) bytes += static_cast<int64_t>(layer.nbytes());
  }
  page_bytes_ = bytes / pages;
  return pool;
}

at::Tensor ContextModel::Forward(const RaggedBatch& batch, KvPool& pool) const {
  const SequenceSpan& longest = Longest(batch);
  if (skip_) {
    for (const SequenceSpan& span : batch.spans) FillPages(span, pool);
    longest_ = std::max<int64_t>(longest_, longest.context + longest.rows);
    return at::zeros({batch.rows(), config().backbone.width});
  }
  const TimePoint begin = SystemClock::Get().Now();
  at::Tensor states = model_->Forward(batch, pool);
  const TimePoint end = SystemClock::Get().Now();
  longest_ = std::max<int64_t>(longest_, longest.context + longest.rows);
  const std::lock_guard lock(mutex_);
  passes_.push_back({.end = end,
                     .took = end - begin,
                     .sequences = static_cast<int>(batch.spans.size()),
                     .context = longest.context,
                     .rows = longest.rows});
  return states;
}

void ContextModel::FillPages(const SequenceSpan& span, KvPool& pool) const {
  const int64_t size = pool.page_positions;
  if (!random_.defined()) {
    random_ = at::randn({8 * size, config().backbone.kv_heads, config().backbone.head_width});
  }
  int64_t variant = 0;
  for (int64_t at = span.context; at < span.context + span.rows;) {
    const int64_t first = at % size;
    const int64_t rows = std::min(size - first, span.context + span.rows - at);
    const int32_t page = span.pages[static_cast<size_t>(at / size)];
    for (const auto* tensors : {&pool.keys, &pool.values}) {
      for (const at::Tensor& layer : *tensors) {
        const int64_t from = (page + 3 * ++variant) % (7 * size);
        layer.select(0, page)
            .narrow(0, first, rows)
            .copy_(ToKvRows(random_.narrow(0, from, rows), KvFormatOf(layer)));
      }
    }
    at += rows;
  }
}

}  // namespace antiphon::bench
