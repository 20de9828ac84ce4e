#include "bench/context_model.h"

#include <ATen/Context.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "kernels/kv_rows.h"
#include "kernels/weight_matrix.h"
#include "model/safetensors.h"
#include "model/safetensors_writer.h"
#include "model/weight_reader.h"

namespace antiphon::bench {
namespace {

constexpr float kStandardDeviation = 73.0f;  // of bytes that are evenly spread over -127 to 127

// The tensors of a model by the names that LanguageModel::Load looks for.
class RandomWeights {
 public:
  void Table(const std::string& name, int64_t rows, int64_t width) {
    tensors[name] = at::randn({rows, width}).to(at::kBFloat16);
  }
  void Ones(const std::string& name, int64_t size) { tensors[name] = at::ones({size}); }
  // Products of it are as large as what they are made of.
  void Matrix(const std::string& name, int64_t out, int64_t in) {
    tensors[name] = at::randint(-127, 128, {out, in}, at::kChar);
    const float scale = 1.0f / (kStandardDeviation * std::sqrt(static_cast<float>(in)));
    tensors[ScalesName(name)] = at::full({out}, scale);
  }
  void Blocks(const std::string& prefix, const TransformerShape& shape) {
    const int64_t queries = shape.heads * shape.head_width;
    const int64_t keys = shape.kv_heads * shape.head_width;
    for (int64_t layer = 0; layer < shape.layers; ++layer) {
      const std::string block = prefix + std::to_string(layer) + ".";
      Ones(block + "attn_norm", shape.width);
      Matrix(block + "wq", queries, shape.width);
      Matrix(block + "wk", keys, shape.width);
      Matrix(block + "wv", keys, shape.width);
      Matrix(block + "wo", shape.width, queries);
      Ones(block + "mlp_norm", shape.width);
      Matrix(block + "w_gate", shape.mlp_width, shape.width);
      Matrix(block + "w_up", shape.mlp_width, shape.width);
      Matrix(block + "w_down", shape.width, shape.mlp_width);
    }
  }

  std::map<std::string, at::Tensor> tensors;
};

void AddBackbone(const ModelConfig& config, RandomWeights* weights) {
  const int64_t width = config.backbone.width;
  weights->Table("embed.symbol", config.symbols.vocab_size, width);
  for (int64_t k = 0; k < config.codebooks(); ++k) {
    const int64_t size = config.codebook_sizes[static_cast<size_t>(k)];
    weights->Table("embed.heard." + std::to_string(k), size, width);
    weights->Table("embed.spoken." + std::to_string(k), size, width);
  }
  weights->Ones("norm", width);
  weights->Matrix("head", config.symbols.vocab_size, width);
  weights->Blocks("layers.", config.backbone);
}

void AddDepthDecoder(const ModelConfig& config, RandomWeights* weights) {
  const int64_t width = config.depth.width;
  weights->Table("depth.position", config.codebooks(), width);
  weights->Ones("depth.norm", width);
  for (int64_t k = 0; k < config.codebooks(); ++k) {
    const std::string suffix = std::to_string(k);
    const int64_t size = config.codebook_sizes[static_cast<size_t>(k)];
    weights->Matrix("depth.input." + suffix, width, config.backbone.width);
    weights->Matrix("depth.head." + suffix, k == 0 ? size + 1 : size, width);
    if (k + 1 < config.codebooks()) weights->Table("depth.embed." + suffix, size, width);
  }
  weights->Blocks("depth.layers.", config.depth);
}

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
  if (shape == "b0.4") {
    shaped.symbols.vocab_size = 32'000;
    shaped.backbone = {
        .width = 896, .layers = 24, .heads = 14, .kv_heads = 2, .head_width = 64, .mlp_width = 4864};
  } else if (shape != "model") {
    return InvalidArgument("the shape is \"" + shape + "\", must be model or b0.4");
  }
  return shaped;
}

Result<std::unique_ptr<LanguageModel>> MakeRandomModel(const ModelConfig& config) {
  at::manual_seed(1);
  RandomWeights weights;
  AddBackbone(config, &weights);
  AddDepthDecoder(config, &weights);
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("antiphon-context-" + std::to_string(getpid()));
  Status written = WriteSafetensors(path.string(), weights.tensors, {});
  weights.tensors.clear();
  Result<Safetensors> file = written.ok() ? Safetensors::Open(path.string()) : Result<Safetensors>(written);
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  if (!file.ok()) return file.status();
  return LanguageModel::Load(*file, config, at::kCPU);
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
