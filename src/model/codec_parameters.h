// Reads what a codec is made of: numbers of its JSON section and tensors of its weights file.
#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "antiphon/status.h"

namespace antiphon {

class Safetensors;

// The first failure is kept and makes all later reads return harmless defaults (the least value, zeros), so
// that a constructor reads everything as a plain list and the loader checks status() once. One thread, while
// loading.
class CodecParameters {
 public:
  // `path` is the file that holds the section and `name` the section's in it, for messages. REQUIRES: section
  // and weights outlive this object.
  CodecParameters(const nlohmann::json& section, const std::string& name, const std::string& path,
                  const Safetensors& weights, at::Device device)
      : section_(section), prefix_(path + ": " + name + "."), weights_(weights), device_(device) {}

  // Fields by dotted path from the section's root, e.g. "mel.hop".
  int64_t Integer(const std::string& path, int64_t least, int64_t most);
  double Number(const std::string& path, double least, double most);
  // A list of 1 to `most` objects; an empty array after a failure.
  const nlohmann::json& Objects(const std::string& path, size_t most);

  // float32 on the device.
  at::Tensor Tensor(const std::string& name, at::IntArrayRef shape);

  // `message` begins with the field's path.
  void Require(bool condition, const std::string& message);
  const Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }
  uint64_t parameters() const { return parameters_; }  // floats read so far
  at::Device device() const { return device_; }

 private:
  const nlohmann::json* Find(const std::string& path);

  const nlohmann::json& section_;
  const std::string prefix_;  // of messages
  const Safetensors& weights_;
  const at::Device device_;
  Status status_;
  uint64_t parameters_ = 0;
};

}  // namespace antiphon
