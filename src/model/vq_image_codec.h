// A convolutional autoencoder with one codebook between its halves (VQ-VAE, van den Oord et al. 2017).
#pragma once

#include <memory>
#include <vector>

#include "model/image_codec.h"
#include "model/image_conv_stack.h"

namespace antiphon {

class CodecParameters;

// docs/model_format.md describes its section of config.json and the file it is loaded from. All arithmetic is
// float32, a picture at a time.
class VqImageCodec final : public ImageCodec {
 public:
  static Result<std::unique_ptr<ImageCodec>> Load(const Safetensors& weights, const ModelConfig& config,
                                                  at::Device device);

  Result<std::vector<int>> Encode(const Image& picture) const override;
  Result<Image> Decode(std::span<const int> codes) const override;

  int64_t side() const override { return side_; }
  int64_t grid() const override { return grid_; }
  int64_t codebook_size() const override { return codebook_size_; }
  uint64_t parameters() const override { return parameters_; }

 private:
  VqImageCodec(const ModelConfig& config, CodecParameters* parameters);

  const at::Device device_;
  const int64_t side_;
  const int64_t grid_;
  const int64_t codebook_size_;
  const int64_t vector_size_;
  const int64_t patch_;  // pixels on a side that enter the encoder as channels
  const double slope_;   // of the leaky ReLU
  const ImageConvStack encoder_, decoder_;
  at::Tensor vectors_;  // [codebook_size, vector_size]
  at::Tensor mean_;     // [1, vector_size], of the vectors: stands for a code that is missing
  at::Tensor lengths_;  // [codebook_size], squared, of the vectors
  uint64_t parameters_ = 0;
};

}  // namespace antiphon
