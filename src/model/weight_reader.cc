#include "model/weight_reader.h"

namespace antiphon {

WeightMatrix WeightReader::Matrix(const std::string& name, int64_t out, int64_t in) {
  matrices_.push_back(name);
  const at::Tensor values = Get(name, {out, in});
  if (!status_.ok()) return {};
  WeightMatrix matrix;
  if (values.scalar_type() == at::kChar) {
    matrix = {values, ReadScales(ScalesName(name), out)};
    parameters_ += static_cast<uint64_t>(values.numel());
  } else if (format_ == WeightFormat::kInt8) {
    matrix = Quantize(name, Read(name, {out, in}, /*keep_bfloat16=*/true));
  } else {
    return Read(name, {out, in}, /*keep_bfloat16=*/device_.is_cpu());
  }
  if (!status_.ok()) return {};
  if (!device_.is_cpu()) return ToFloat(matrix).to(device_);
  return matrix;
}

WeightMatrix WeightReader::Quantize(const std::string& name, const at::Tensor& matrix) {
  if (!status_.ok()) return {};
  if (matrix.isfinite().all().item<bool>()) return QuantizeRows(matrix);
  Fail(name, "holds a number that is not finite, which has no int8 form");
  return {};
}

at::Tensor WeightReader::Table(const std::string& name, int64_t rows, int64_t width) {
  return Read(name, {rows, width}, /*keep_bfloat16=*/device_.is_cpu());
}

at::Tensor WeightReader::Vector(const std::string& name, int64_t size) {
  return Read(name, {size}, /*keep_bfloat16=*/false);
}

at::Tensor WeightReader::Read(const std::string& name, const std::vector<int64_t>& shape,
                              bool keep_bfloat16) {
  const at::Tensor tensor = Get(name, shape);
  if (!status_.ok()) return {};
  if (!tensor.is_floating_point()) {
    Fail(name, "does not hold floating-point numbers");
    return {};
  }
  parameters_ += static_cast<uint64_t>(tensor.numel());
  if (keep_bfloat16 && tensor.scalar_type() == at::kBFloat16) return tensor;
  return tensor.to(device_, at::kFloat);
}

at::Tensor WeightReader::ReadScales(const std::string& name, int64_t out) {
  const at::Tensor tensor = Get(name, {out});
  if (!status_.ok()) return {};
  if (!tensor.is_floating_point()) {
    Fail(name, "does not hold floating-point numbers");
    return {};
  }
  const at::Tensor scales = tensor.to(at::kFloat);
  if (!(scales.isfinite() & (scales >= 0)).all().item<bool>()) {
    Fail(name, "holds a scale that is negative or not finite");
    return {};
  }
  return scales;
}

at::Tensor WeightReader::Get(const std::string& name, at::IntArrayRef shape) {
  if (!status_.ok()) return {};
  Result<at::Tensor> tensor = file_.GetChecked(name, shape);
  if (tensor.ok()) return *tensor;
  // A weights file without one of its tensors is a damaged file, whatever the lookup calls it.
  status_ = DataLoss(tensor.status().message());
  return {};
}

void WeightReader::Fail(const std::string& name, const std::string& what) {
  if (status_.ok()) status_ = DataLoss(file_.path() + ": tensor " + name + " " + what);
}

std::string ScalesName(const std::string& matrix) { return matrix + ".scale"; }

}  // namespace antiphon
