// Reads safetensors files in place: the file is mapped and tensors are views of the mapping.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "antiphon/status.h"

namespace antiphon {

// One open file. Immutable, so safe from any thread; copies share the mapping. Tensors keep the mapping
// alive: they may outlive this object. The mapping is private to the process and read only: writing to a
// tensor ends the process.
class Safetensors {
 public:
  // Maps `path` and checks its whole header, so that no later call can read outside the file. NOT_FOUND when
  // it cannot be opened, DATA_LOSS (naming the file and the tensor) when it is not a well-formed safetensors
  // file: a header longer than 16 MiB or than the file, JSON that is not as specified, an unknown dtype, a
  // shape that does not fit its offsets, tensors that overlap or leave holes, bytes left over.
  static Result<Safetensors> Open(const std::string& path);

  // A contiguous CPU tensor of the file's dtype. NOT_FOUND naming the tensor and the file.
  Result<at::Tensor> Get(const std::string& name) const;
  // The same; DATA_LOSS unless the shape is `shape`.
  Result<at::Tensor> GetChecked(const std::string& name, at::IntArrayRef shape) const;
  // GetChecked as float32 on `device`, copied when the file holds another type.
  Result<at::Tensor> GetFloat(const std::string& name, at::IntArrayRef shape,
                              at::Device device = at::kCPU) const;

  // CRC-32 (RFC 1952) of the whole file: reads it once.
  uint32_t Checksum() const;

  // Gives back the process's memory for what was read so far. Tensors stay valid: what is read again is
  // mapped again, from the system's cache of the file if it is still there.
  void Release() const;

  bool Contains(const std::string& name) const { return entries_.count(name) != 0; }
  std::vector<std::string> names() const;  // sorted
  const std::string& path() const { return path_; }
  // The strings of "__metadata__", if there are any.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  class Mapping;
  struct Entry {
    at::ScalarType dtype;
    std::vector<int64_t> shape;
    size_t begin;  // offset in the mapping, bytes
    size_t bytes;
  };

  Safetensors() = default;
  Status ParseHeader(size_t header_bytes);
  Status ParseMetadata(const nlohmann::json& fields);
  Status ParseEntry(const std::string& name, const nlohmann::json& fields, size_t data_begin,
                    size_t data_bytes);
  Status CheckLayout(size_t data_begin, size_t data_bytes) const;

  std::string path_;
  std::shared_ptr<const Mapping> mapping_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace antiphon
