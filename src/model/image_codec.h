// The image codec of a model: a picture to a grid of codes, and back.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon {

class Safetensors;
struct ModelConfig;

// Weights only: const after loading, so calls may run on any threads at once.
class ImageCodec {
 public:
  virtual ~ImageCodec() = default;

  // The codec that `config.image_codec_json` describes for pictures of `config.image`, with `weights` from
  // image_codec.safetensors. DATA_LOSS naming the file (config.path or that of the weights) and the field or
  // tensor that is missing, malformed, out of its limits or in contradiction to the rest. REQUIRES:
  // config.image.known().
  static Result<std::unique_ptr<ImageCodec>> Load(const Safetensors& weights, const ModelConfig& config,
                                                  at::Device device);

  // grid() * grid() codes, row by row from the top. INVALID_ARGUMENT unless the picture is side() pixels on
  // both sides and its `rgb` fits them.
  virtual Result<std::vector<int>> Encode(const Image& picture) const = 0;

  // The picture of these codes. What is missing at the end is neutral grey. INVALID_ARGUMENT for more codes
  // than a picture has or a code outside [0, codebook_size()).
  virtual Result<Image> Decode(std::span<const int> codes) const = 0;

  virtual int64_t side() const = 0;           // pixels
  virtual int64_t grid() const = 0;           // codes on a side
  virtual int64_t codebook_size() const = 0;  // codes run from 0
  virtual uint64_t parameters() const = 0;
};

}  // namespace antiphon
