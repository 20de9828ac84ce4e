// Takes the tensors of a model out of its weights file, with their shapes checked.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "antiphon/status.h"
#include "model/safetensors.h"

namespace antiphon {

// The first failure is kept; after it every call returns an undefined tensor. So a model reads all its
// tensors and asks once. One thread.
class WeightReader {
 public:
  WeightReader(const Safetensors& file, torch::Device device) : file_(file), device_(device) {}

  // A matrix [out, in], for Linear or AddEmbedding. On the CPU a bfloat16 matrix stays in the mapped file,
  // where all processes share it and it takes half the memory traffic; elsewhere it becomes float32.
  torch::Tensor Matrix(const std::string& name, int64_t out, int64_t in);
  // A vector, as float32.
  torch::Tensor Vector(const std::string& name, int64_t size);

  const Status& status() const { return status_; }
  uint64_t parameters() const { return parameters_; }  // numbers read so far

 private:
  torch::Tensor Read(const std::string& name, const std::vector<int64_t>& shape, bool keep_bfloat16);

  const Safetensors& file_;
  const torch::Device device_;
  Status status_;
  uint64_t parameters_ = 0;
};

}  // namespace antiphon
