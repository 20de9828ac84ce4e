#include "model/image_codec.h"

#include "model/vq_image_codec.h"

namespace antiphon {

Result<std::unique_ptr<ImageCodec>> ImageCodec::Load(const Safetensors& weights, const ModelConfig& config,
                                                     at::Device device) {
  return VqImageCodec::Load(weights, config, device);
}

}  // namespace antiphon
