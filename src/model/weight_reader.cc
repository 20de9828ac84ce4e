#include "model/weight_reader.h"

namespace antiphon {

torch::Tensor WeightReader::Matrix(const std::string& name, int64_t out, int64_t in) {
  return Read(name, {out, in}, /*keep_bfloat16=*/device_.is_cpu());
}

torch::Tensor WeightReader::Vector(const std::string& name, int64_t size) {
  return Read(name, {size}, /*keep_bfloat16=*/false);
}

torch::Tensor WeightReader::Read(const std::string& name, const std::vector<int64_t>& shape,
                                 bool keep_bfloat16) {
  if (!status_.ok()) return {};
  Result<torch::Tensor> tensor = file_.GetChecked(name, shape);
  if (!tensor.ok()) {
    // A weights file without one of its tensors is a damaged file, whatever the lookup calls it.
    status_ = DataLoss(tensor.status().message());
    return {};
  }
  if (!tensor->is_floating_point()) {
    status_ = DataLoss(file_.path() + ": tensor " + name + " does not hold floating-point numbers");
    return {};
  }
  parameters_ += static_cast<uint64_t>(tensor->numel());
  if (keep_bfloat16 && tensor->scalar_type() == torch::kBFloat16) return *tensor;
  return tensor->to(device_, torch::kFloat);
}

}  // namespace antiphon
