#include "model/backbone.h"

#include <ATen/ops/zeros.h>

#include <numeric>
#include <string>

#include "kernels/linear.h"
#include "kernels/paged_gap.h"

namespace antiphon {
namespace {

std::vector<at::Tensor> ReadChannel(const std::string& prefix, const ModelConfig& config,
                                    WeightReader* reader) {
  std::vector<at::Tensor> tables;
  for (int64_t k = 0; k < config.codebooks(); ++k) {
    tables.push_back(
        reader->Table(prefix + std::to_string(k), config.codebook_sizes[k], config.backbone.width));
  }
  return tables;
}

// Adds the embeddings of a channel's frames, one codebook after the other.
void AddChannel(const std::vector<at::Tensor>& tables, const ChannelCodes& channel, at::Tensor* x) {
  const size_t codebooks = tables.size();
  TORCH_CHECK(channel.codes.size() == channel.rows.size() * codebooks, "a channel has ", channel.codes.size(),
              " codes for ", channel.rows.size(), " rows");
  std::vector<int64_t> codes(channel.rows.size());
  for (size_t k = 0; k < codebooks; ++k) {
    for (size_t i = 0; i < codes.size(); ++i) codes[i] = channel.codes[i * codebooks + k];
    AddEmbedding(tables[k], channel.rows, codes, x);
  }
}

}  // namespace

Backbone::Backbone(const ModelConfig& config, at::Device device, WeightReader* reader)
    : shape_(config.backbone),
      max_positions_(config.max_positions),
      device_(device),
      symbol_embedding_(reader->Table("embed.symbol", config.symbols.vocab_size, shape_.width)),
      heard_embedding_(ReadChannel("embed.heard.", config, reader)),
      spoken_embedding_(ReadChannel("embed.spoken.", config, reader)),
      norm_(reader->Vector("norm", shape_.width)),
      head_(reader->Matrix("head", config.symbols.vocab_size, shape_.width)),
      rotary_(MakeRotaryTable(config.max_positions, shape_.head_width, shape_.rope_theta, device)) {
  for (int64_t i = 0; i < shape_.layers; ++i) {
    layers_.push_back(ReadBlock("layers." + std::to_string(i) + ".", shape_, reader));
  }
}

at::Tensor Backbone::Embed(const RaggedBatch& batch) const {
  at::Tensor x = at::zeros({batch.rows(), shape_.width}, at::TensorOptions().device(device_));
  std::vector<int64_t> rows(batch.symbols.size());
  std::iota(rows.begin(), rows.end(), 0);
  AddEmbedding(symbol_embedding_, rows, batch.symbols, &x);
  AddChannel(heard_embedding_, batch.heard, &x);
  AddChannel(spoken_embedding_, batch.spoken, &x);
  return x;
}

at::Tensor Backbone::Forward(const RaggedBatch& batch, KvPool* pool) const {
  BlockRows rows{.spans = batch.spans, .rotary = &rotary_};
  for (const SequenceSpan& span : batch.spans) {
    TORCH_CHECK(span.first_row == static_cast<int64_t>(rows.positions.size()),
                "spans do not cover the rows in order");
    TORCH_CHECK(span.context + span.rows <= max_positions_, "a sequence exceeds max_positions");
    for (int64_t i = 0; i < span.rows; ++i) rows.positions.push_back(span.context + i);
  }
  TORCH_CHECK(static_cast<int64_t>(rows.positions.size()) == batch.rows(), "spans do not cover the rows");

  at::Tensor x = Embed(batch);
  for (size_t i = 0; i < layers_.size(); ++i) {
    RunBlock(layers_[i], shape_, rows, &pool->keys[i], &pool->values[i], &x);
  }
  return RmsNorm(x, norm_, shape_.norm_eps);
}

void Backbone::CloseGap(const SequenceGap& gap, KvPool* pool) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    antiphon::CloseGap(gap, &rotary_, &pool->keys[i]);
    antiphon::CloseGap(gap, nullptr, &pool->values[i]);
  }
}

at::Tensor Backbone::SymbolLogits(const at::Tensor& states) const { return Linear(states, head_); }

KvPool Backbone::MakePool(int64_t pages, int64_t page_positions, KvFormat format) const {
  KvPool pool{.page_positions = page_positions, .keys = {}, .values = {}};
  for (int64_t i = 0; i < shape_.layers; ++i) {
    pool.keys.push_back(MakePages(shape_, pages, page_positions, device_, format));
    pool.values.push_back(MakePages(shape_, pages, page_positions, device_, format));
  }
  return pool;
}

}  // namespace antiphon
