// The codebooks between the codec's encoder and decoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace antiphon {

class CodecParameters;

// Codebook 0 is semantic and quantises a vector of its own. A linear prediction from it stands for the
// acoustic vector, and codebooks 1.. quantise in turn what is left of that. Const after construction.
class ResidualQuantizer {
 public:
  // Reads "vector_size" and the tensors `name`.<k>.vectors [sizes[k], width], `name`.predict.weight
  // [width, width], .bias.
  ResidualQuantizer(const std::string& name, const std::vector<int64_t>& sizes, CodecParameters* parameters);

  // semantic, acoustic [N, width] -> codes [N, K] int64: the nearest vectors, the lowest code among equals.
  at::Tensor Encode(const at::Tensor& semantic, const at::Tensor& acoustic) const;

  // codes [N, K] -> [N, width]. A code outside its codebook is an at::IndexError.
  at::Tensor Decode(const at::Tensor& codes) const;

  int64_t width() const { return width_; }

 private:
  struct Codebook {
    at::Tensor nearest_weight;  // [size, width], -2 times the vectors
    at::Tensor nearest_bias;    // [size], their squared lengths
    at::Tensor decoded;         // [size, width], what a code adds to the decoder's input
  };

  int64_t width_;
  std::vector<Codebook> books_;
};

}  // namespace antiphon
