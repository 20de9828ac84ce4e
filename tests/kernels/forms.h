// The forms of a kernel that tests hold against one another.
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

#include <cstdint>
#include <vector>

#include "kernels/dispatch.h"

namespace antiphon {

// Every set of loops this machine runs.
inline std::vector<const SimdLoops*> RunnableLoops() {
  std::vector<const SimdLoops*> all = {&PortableLoops()};
  if (Avx2Loops() != nullptr) all.push_back(Avx2Loops());
  if (Avx512Loops() != nullptr) all.push_back(Avx512Loops());
  return all;
}

inline std::vector<const Int8Loops*> RunnableInt8Loops() {
  std::vector<const Int8Loops*> all = {&PortableInt8Loops()};
  for (const Int8Loops* loops : {Avx2Int8Loops(), Avx512Int8Loops(), Avx512VnniInt8Loops()}) {
    if (loops != nullptr) all.push_back(loops);
  }
  return all;
}

inline std::vector<const AttentionLoops*> RunnableAttentionLoops() {
  std::vector<const AttentionLoops*> all = {&PortableAttentionLoops()};
  if (Avx2AttentionLoops() != nullptr) all.push_back(Avx2AttentionLoops());
  if (Avx512AttentionLoops() != nullptr) all.push_back(Avx512AttentionLoops());
  return all;
}

// Normally distributed, the same for the same seed.
inline at::Tensor Noise(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::detail::createCPUGenerator(seed), at::TensorOptions().dtype(at::kFloat));
}

inline double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace antiphon
