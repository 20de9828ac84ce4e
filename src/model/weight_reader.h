// Takes the tensors of a model out of its weights file, with their shapes checked.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "antiphon/status.h"
#include "antiphon/weight_format.h"
#include "kernels/weight_matrix.h"
#include "model/safetensors.h"

namespace antiphon {

// The first failure is kept; after it every call returns an undefined tensor. So a model reads all its
// tensors and asks once. One thread.
class WeightReader {
 public:
  WeightReader(const Safetensors& file, at::Device device, WeightFormat format = WeightFormat::kAsStored)
      : file_(file), device_(device), format_(format) {}

  // A matrix [out, in], for Linear; int8 where the file or the format says so. On the CPU a bfloat16 or int8
  // matrix of the file stays in the mapping, where all processes share it and it takes a half or a quarter of
  // the memory traffic; elsewhere all become float32.
  WeightMatrix Matrix(const std::string& name, int64_t out, int64_t in);
  // A table [rows, width], for AddEmbedding: float32, or on the CPU bfloat16.
  at::Tensor Table(const std::string& name, int64_t rows, int64_t width);
  // A vector, as float32.
  at::Tensor Vector(const std::string& name, int64_t size);

  const Status& status() const { return status_; }
  uint64_t parameters() const { return parameters_; }  // numbers read so far, scales not counted
  // The names that Matrix was asked for, in order.
  const std::vector<std::string>& matrices() const { return matrices_; }

 private:
  at::Tensor Read(const std::string& name, const std::vector<int64_t>& shape, bool keep_bfloat16);
  WeightMatrix Quantize(const std::string& name, const at::Tensor& matrix);
  at::Tensor ReadScales(const std::string& name, int64_t out);
  // The tensor with its shape checked; undefined after a failure.
  at::Tensor Get(const std::string& name, at::IntArrayRef shape);
  void Fail(const std::string& name, const std::string& what);

  const Safetensors& file_;
  const at::Device device_;
  const WeightFormat format_;
  Status status_;
  uint64_t parameters_ = 0;
  std::vector<std::string> matrices_;
};

// The name of the tensor that holds the scales of the int8 matrix `matrix`.
std::string ScalesName(const std::string& matrix);

}  // namespace antiphon
