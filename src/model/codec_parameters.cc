#include "model/codec_parameters.h"

#include <ATen/ops/zeros.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "model/safetensors.h"

namespace antiphon {

using nlohmann::json;

void CodecParameters::Require(bool condition, const std::string& message) {
  if (!condition && status_.ok()) status_ = DataLoss(prefix_ + message);
}

const json* CodecParameters::Find(const std::string& path) {
  if (!ok()) return nullptr;
  const json* at = &section_;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const auto key = path.substr(begin, end - begin);
    if (at->is_array()) {  // "encoder.trunk.3.inputs"
      const bool digits = !key.empty() && key.size() < 5 && key.find_first_not_of("0123456789") == key.npos;
      const size_t index = digits ? std::stoul(key) : at->size();
      at = index < at->size() ? &(*at)[index] : nullptr;
    } else {
      const auto found = at->is_object() ? at->find(key) : at->end();
      at = at->is_object() && found != at->end() ? &*found : nullptr;
    }
    if (at == nullptr) {
      Require(false, path + " is missing");
      return nullptr;
    }
    begin = end + 1;
  }
  return at;
}

int64_t CodecParameters::Integer(const std::string& path, int64_t least, int64_t most) {
  const json* value = Find(path);
  if (value == nullptr) return least;
  const bool fits = value->is_number_integer() && value->get<double>() >= static_cast<double>(least) &&
                    value->get<double>() <= static_cast<double>(most);
  Require(fits, path + " must be an integer from " + std::to_string(least) + " to " + std::to_string(most));
  return fits ? value->get<int64_t>() : least;
}

double CodecParameters::Number(const std::string& path, double least, double most) {
  const json* value = Find(path);
  if (value == nullptr) return least;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  const bool fits = number >= least && number <= most;
  Require(fits, path + " must be a number from " + std::to_string(least) + " to " + std::to_string(most));
  return fits ? number : least;
}

const json& CodecParameters::Objects(const std::string& path, size_t most) {
  static const json kNone = json::array();
  const json* value = Find(path);
  if (value == nullptr) return kNone;
  bool fits = value->is_array() && !value->empty() && value->size() <= most;
  if (fits) {
    for (const json& entry : *value) fits = fits && entry.is_object();
  }
  Require(fits, path + " must be a list of 1 to " + std::to_string(most) + " objects");
  return fits ? *value : kNone;
}

at::Tensor CodecParameters::Tensor(const std::string& name, at::IntArrayRef shape) {
  // Of any shape without its memory: the shape may come from a damaged file.
  const auto zeros = [&] {
    return at::zeros({}, at::TensorOptions().device(device_).dtype(at::kFloat)).expand(shape);
  };
  if (!ok()) return zeros();
  Result<at::Tensor> tensor = weights_.GetFloat(name, shape, device_);
  if (!tensor.ok()) {
    // A tensor that is not there is a damaged model, whatever the lookup calls it.
    status_ = DataLoss(tensor.status().message());
    return zeros();
  }
  parameters_ += static_cast<uint64_t>(tensor->numel());
  return *std::move(tensor);
}

}  // namespace antiphon
