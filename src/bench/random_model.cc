#include "bench/random_model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <stdlib.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "model/model_config.h"
#include "model/safetensors.h"
#include "model/safetensors_writer.h"
#include "model/weight_reader.h"

namespace antiphon::bench {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxPositions = 131072;  // the most that a config.json may say
// The depth decoder, which no benchmark of such a model runs: one codebook, one layer, one head.
constexpr int64_t kCodes = 8;
constexpr int64_t kDepthWidth = 8;
constexpr char kWeightsFile[] = "/backbone.safetensors";

class TensorMaker {
 public:
  TensorMaker(RandomWeights weights, uint64_t seed)
      : weights_(weights), generator_(at::detail::createCPUGenerator(seed)) {}

  // Of outputs about as large as its inputs, times `gain`.
  void AddMatrix(const std::string& name, int64_t out, int64_t in, double gain = 1.0) {
    const double bound = gain * std::sqrt(3.0 / static_cast<double>(in));  // variance gain^2 / in
    if (weights_ == RandomWeights::kInt8) {
      tensors_[name] = at::empty({out, in}, at::kChar).random_(-127, 128, generator_);
      tensors_[ScalesName(name)] = at::full({out}, bound / 127, at::kFloat);
    } else {
      AddTable(name, out, in, bound);
    }
  }

  void AddTable(const std::string& name, int64_t rows, int64_t width, double bound = 1.0) {
    const at::Tensor table = at::empty({rows, width}, at::kFloat).uniform_(-bound, bound, generator_);
    tensors_[name] = weights_ == RandomWeights::kFloat32 ? table : table.to(at::kBFloat16);
  }

  void AddNorm(const std::string& name, int64_t width) { tensors_[name] = at::ones({width}, at::kFloat); }

  void AddBlocks(const std::string& prefix, const TransformerShape& shape) {
    const int64_t query_width = shape.heads * shape.head_width;
    const int64_t kv_width = shape.kv_heads * shape.head_width;
    // What layers add is kept small, so that their sum does not grow with their number.
    const double gain = 1 / std::sqrt(2.0 * static_cast<double>(shape.layers));
    for (int64_t i = 0; i < shape.layers; ++i) {
      const std::string layer = prefix + std::to_string(i) + ".";
      AddNorm(layer + "attn_norm", shape.width);
      AddMatrix(layer + "wq", query_width, shape.width);
      AddMatrix(layer + "wk", kv_width, shape.width);
      AddMatrix(layer + "wv", kv_width, shape.width);
      AddMatrix(layer + "wo", shape.width, query_width, gain);
      AddNorm(layer + "mlp_norm", shape.width);
      AddMatrix(layer + "w_gate", shape.mlp_width, shape.width);
      AddMatrix(layer + "w_up", shape.mlp_width, shape.width);
      AddMatrix(layer + "w_down", shape.width, shape.mlp_width, gain);
    }
  }

  void AddBackbone(const ModelConfig& config) {
    const int64_t width = config.backbone.width;
    AddTable("embed.symbol", config.symbols.vocab_size, width);
    for (int64_t k = 0; k < config.codebooks(); ++k) {
      const int64_t size = config.codebook_sizes[static_cast<size_t>(k)];
      AddTable("embed.heard." + std::to_string(k), size, width);
      AddTable("embed.spoken." + std::to_string(k), size, width);
    }
    AddBlocks("layers.", config.backbone);
    AddNorm("norm", width);
    AddMatrix("head", config.symbols.vocab_size, width);
  }

  void AddDepthDecoder(const ModelConfig& config) {
    const int64_t width = config.depth.width;
    AddTable("depth.position", config.codebooks(), width);
    AddBlocks("depth.layers.", config.depth);
    AddNorm("depth.norm", width);
    for (int64_t k = 0; k < config.codebooks(); ++k) {
      const std::string suffix = std::to_string(k);
      const int64_t size = config.codebook_sizes[static_cast<size_t>(k)];
      AddMatrix("depth.input." + suffix, width, config.backbone.width);
      AddMatrix("depth.head." + suffix, k == 0 ? size + 1 : size, width);
      if (k + 1 < config.codebooks()) AddTable("depth.embed." + suffix, size, width);
    }
  }

  const std::map<std::string, at::Tensor>& tensors() const { return tensors_; }

 private:
  const RandomWeights weights_;
  at::Generator generator_;
  std::map<std::string, at::Tensor> tensors_;
};

nlohmann::json ConfigOf(const ModelShape& shape) {
  return {{"format", "antiphon-model"},
          {"format_version", 1},
          {"name", "random"},
          {"version", "v0"},
          {"symbols",
           {{"vocab_size", shape.vocabulary},
            {"pad", 0},
            {"unk", 1},
            {"bos", 2},
            {"end", 3},
            {"user", 4},
            {"assistant", 5}}},
          {"audio", {{"sample_rate", 16000}, {"frame_samples", 1280}, {"codebook_sizes", {kCodes}}}},
          {"stream", {{"speech_lead", 2}, {"max_positions", kMaxPositions}}},
          {"backbone",
           {{"width", shape.width},
            {"layers", shape.layers},
            {"heads", shape.heads},
            {"kv_heads", shape.kv_heads},
            {"head_width", shape.head_width},
            {"mlp_width", shape.mlp_width},
            {"rope_theta", 1e6},
            {"norm_eps", 1e-6}}},
          {"depth",
           {{"width", kDepthWidth},
            {"layers", 1},
            {"heads", 1},
            {"mlp_width", kDepthWidth},
            {"norm_eps", 1e-6}}}};
}

// A new folder under the system's temporary one, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "antiphon-bench-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }  // empty: it could not be made

 private:
  std::string path_;
};

bool ReadByEachStep(const std::string& name) {
  return name.starts_with("layers.") || name.starts_with("norm") || name.starts_with("head");
}

Status WriteWeights(const ModelConfig& config, RandomWeights weights, uint64_t seed,
                    const std::string& folder) {
  TensorMaker maker(weights, seed);
  maker.AddBackbone(config);
  maker.AddDepthDecoder(config);
  return WriteSafetensors(folder + kWeightsFile, maker.tensors(), {});
}

// The file may go afterwards: it stays mapped.
Result<RandomModel> Load(const ModelConfig& config, const std::string& folder) {
  const Result<Safetensors> file = Safetensors::Open(folder + kWeightsFile);
  if (!file.ok()) return file.status();
  Result<std::unique_ptr<LanguageModel>> model = LanguageModel::Load(*file, config, at::kCPU);
  if (!model.ok()) return model.status();
  RandomModel loaded{std::move(model).value()};
  for (const std::string& name : file->names()) {
    if (ReadByEachStep(name)) loaded.step_bytes += static_cast<int64_t>(file->Get(name)->nbytes());
  }
  return loaded;
}

Status NoFolder() {
  return Unavailable(std::string("no temporary folder can be made: ") + std::strerror(errno));
}

}  // namespace

RandomWeights RandomWeightsNamed(const std::string& name) {
  if (name == "f32") return RandomWeights::kFloat32;
  return name == "bf16" ? RandomWeights::kBFloat16 : RandomWeights::kInt8;
}

Result<ModelShape> FindModelShape(const std::string& name_or_folder) {
  const auto named = ModelShapes().find(name_or_folder);
  if (named != ModelShapes().end()) return named->second;
  const Result<ModelConfig> config = LoadModelConfig(name_or_folder);
  if (!config.ok()) {
    if (fs::is_directory(name_or_folder)) return config.status();
    return NotFound(name_or_folder + " is neither the name of a shape nor a model's folder");
  }
  const TransformerShape& shape = config->backbone;
  return ModelShape{shape.layers,
                    shape.width,
                    shape.heads,
                    shape.kv_heads,
                    shape.head_width,
                    shape.mlp_width,
                    config->symbols.vocab_size};
}

Status WriteRandomModel(const ModelShape& shape, RandomWeights weights, uint64_t seed,
                        const std::string& folder) {
  const std::string path = folder + "/config.json";
  std::ofstream file(path);
  file << ConfigOf(shape).dump(1) << '\n';
  file.close();
  if (!file) return Unavailable("cannot write " + path);
  const Result<ModelConfig> config = LoadModelConfig(folder);
  if (!config.ok()) return config.status();
  return WriteWeights(*config, weights, seed, folder);
}

Result<RandomModel> LoadRandomModel(const ModelShape& shape, RandomWeights weights, uint64_t seed) {
  const TemporaryFolder folder;
  if (folder.path().empty()) return NoFolder();
  if (Status written = WriteRandomModel(shape, weights, seed, folder.path()); !written.ok()) return written;
  const Result<ModelConfig> config = LoadModelConfig(folder.path());
  if (!config.ok()) return config.status();
  return Load(*config, folder.path());
}

Result<RandomModel> LoadRandomModel(const ModelConfig& config, RandomWeights weights, uint64_t seed) {
  const TemporaryFolder folder;
  if (folder.path().empty()) return NoFolder();
  if (Status written = WriteWeights(config, weights, seed, folder.path()); !written.ok()) return written;
  return Load(config, folder.path());
}

}  // namespace antiphon::bench
