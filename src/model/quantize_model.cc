#include "model/quantize_model.h"

#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

#include "model/backbone.h"
#include "model/depth_decoder.h"
#include "model/model_config.h"
#include "model/safetensors.h"
#include "model/safetensors_writer.h"
#include "model/weight_reader.h"

namespace antiphon {
namespace {

namespace fs = std::filesystem;

constexpr char kWeightsFile[] = "backbone.safetensors";

// A folder that is removed again unless it is kept.
class PartialFolder {
 public:
  explicit PartialFolder(std::string path) : path_(std::move(path)) {}
  ~PartialFolder() {
    std::error_code ignored;
    if (created_) fs::remove_all(path_, ignored);
  }
  PartialFolder(const PartialFolder&) = delete;
  PartialFolder& operator=(const PartialFolder&) = delete;

  Status Create() {
    std::error_code error;
    if (fs::exists(path_, error)) return FailedPrecondition(path_ + " exists; remove it first");
    created_ = fs::create_directory(path_, error);
    return created_ ? OkStatus() : Unavailable("cannot create " + path_ + ": " + error.message());
  }

  Status KeepAs(const std::string& path) {
    std::error_code error;
    fs::rename(path_, path, error);
    if (error) return Unavailable("cannot rename " + path_ + " to " + path + ": " + error.message());
    created_ = false;
    return OkStatus();
  }

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  bool created_ = false;
};

// What the model multiplies with: reading it as the runtime does tells, and checks the file.
Result<std::vector<std::string>> MatrixNames(const Safetensors& weights, const ModelConfig& config) {
  WeightReader reader(weights, at::kCPU);
  const Backbone backbone(config, at::kCPU, &reader);
  const DepthDecoder depth(config, at::kCPU, &reader);
  if (!reader.status().ok()) return reader.status();
  return reader.matrices();
}

// All files but the weights.
Status CopyOthers(const std::string& from, const std::string& to) {
  std::error_code error;
  for (fs::directory_iterator it(from, error), end; !error && it != end; it.increment(error)) {
    if (!it->is_regular_file(error) || it->path().filename() == kWeightsFile) continue;
    fs::copy_file(it->path(), fs::path(to) / it->path().filename(), error);
    if (error) break;
  }
  return error ? Unavailable("cannot copy " + from + " to " + to + ": " + error.message()) : OkStatus();
}

}  // namespace

Result<QuantizedModel> QuantizeModel(const std::string& model, const std::string& out) {
  const Result<ModelConfig> config = LoadModelConfig(model);
  if (!config.ok()) return config.status();
  const Result<Safetensors> weights = Safetensors::Open(model + "/" + kWeightsFile);
  if (!weights.ok()) return weights.status();
  const Result<std::vector<std::string>> matrices = MatrixNames(*weights, *config);
  if (!matrices.ok()) return matrices.status();

  QuantizedModel result;
  std::map<std::string, at::Tensor> tensors;
  for (const std::string& name : weights->names()) tensors[name] = *weights->Get(name);
  WeightReader reader(*weights, at::kCPU, WeightFormat::kInt8);
  for (const std::string& name : *matrices) {
    at::Tensor& values = tensors.at(name);
    if (values.scalar_type() == at::kChar) continue;
    const WeightMatrix quantized = reader.Matrix(name, values.size(0), values.size(1));
    if (!reader.status().ok()) return reader.status();
    values = quantized.values;
    tensors[ScalesName(name)] = quantized.scales;
    ++result.matrices;
  }

  std::error_code error;
  const fs::path target = fs::path(out) / "";  // "a" and "a/" are the same folder
  const std::string folder = target.parent_path().string();
  if (fs::exists(folder, error)) return FailedPrecondition(folder + " exists; name a new folder");
  PartialFolder partial(folder + ".partial");
  if (Status created = partial.Create(); !created.ok()) return created;
  const std::string written = partial.path() + "/" + kWeightsFile;
  if (Status status = WriteSafetensors(written, tensors, weights->metadata()); !status.ok()) return status;
  if (Status copied = CopyOthers(model, partial.path()); !copied.ok()) return copied;
  result.bytes_before = fs::file_size(weights->path(), error);
  result.bytes_after = fs::file_size(written, error);
  if (Status kept = partial.KeepAs(folder); !kept.ok()) return kept;
  return result;
}

}  // namespace antiphon
