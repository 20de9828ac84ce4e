#include "model/vq_image_codec.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/pixel_unshuffle.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "model/codec_parameters.h"
#include "model/model_config.h"

namespace antiphon {
namespace {

constexpr uint8_t kBlank = 128;  // of each channel of a pixel that is not painted yet

}  // namespace

VqImageCodec::VqImageCodec(const ModelConfig& config, CodecParameters* parameters)
    : device_(parameters->device()),
      side_(config.image.side),
      grid_(config.image.grid),
      codebook_size_(config.image.codebook_size),
      vector_size_(parameters->Integer("vector_size", 1, 4096)),
      patch_(parameters->Integer("patch", 1, 64)),
      slope_(parameters->Number("slope", 0.0, 1.0)),
      encoder_("encoder", side_ / patch_, slope_, parameters),
      decoder_("decoder", grid_, slope_, parameters) {
  parameters->Require(side_ % patch_ == 0, "patch must divide image.side");
  parameters->Require(encoder_.inputs() == 3 * patch_ * patch_ && encoder_.outputs() == vector_size_,
                      "encoder must lead from the channels of a patch to vector_size");
  parameters->Require(encoder_.side() == grid_, "encoder must lead from image.side to image.grid");
  parameters->Require(decoder_.inputs() == vector_size_ && decoder_.outputs() == 3,
                      "decoder must lead from vector_size to 3 channels");
  parameters->Require(decoder_.side() == side_, "decoder must lead from image.grid to image.side");
  vectors_ = parameters->Tensor("codebook", {codebook_size_, vector_size_});
  if (!parameters->ok()) return;
  mean_ = vectors_.mean(0, /*keepdim=*/true);
  lengths_ = vectors_.square().sum(1);
  parameters_ = parameters->parameters();
}

Result<std::unique_ptr<ImageCodec>> VqImageCodec::Load(const Safetensors& weights, const ModelConfig& config,
                                                       at::Device device) {
  const nlohmann::json section = nlohmann::json::parse(config.image_codec_json, nullptr, false);
  if (!section.is_object()) return DataLoss(config.path + ": image_codec is missing");
  if (section.value("type", nlohmann::json()) != "vq") {
    return DataLoss(config.path + ": image_codec.type must be \"vq\"");
  }
  const at::NoGradGuard no_grad;
  CodecParameters parameters(section, "image_codec", config.path, weights, device);
  std::unique_ptr<ImageCodec> codec(new VqImageCodec(config, &parameters));
  if (!parameters.ok()) return parameters.status();
  return codec;
}

Result<std::vector<int>> VqImageCodec::Encode(const Image& picture) const {
  if (picture.width != side_ || picture.height != side_ ||
      static_cast<int64_t>(picture.rgb.size()) != 3 * side_ * side_) {
    return InvalidArgument("the codec takes pictures of " + std::to_string(side_) + " x " +
                           std::to_string(side_) + " pixels");
  }
  const c10::InferenceMode inference;
  at::Tensor bytes = at::empty({side_, side_, 3}, at::kByte);
  std::ranges::copy(picture.rgb, bytes.data_ptr<uint8_t>());
  const at::Tensor pixels = bytes.to(device_).to(at::kFloat).div_(255.0).mul_(2.0).sub_(1.0);
  const at::Tensor patches = at::pixel_unshuffle(pixels.permute({2, 0, 1}).unsqueeze(0), patch_);
  const at::Tensor latents = encoder_.Forward(patches)[0].flatten(1).t();  // [grid * grid, vector_size]
  // |v - x|^2 without |x|^2, which is the same for all v.
  const at::Tensor distances = at::addmm(lengths_, latents, vectors_.t(), 1.0, -2.0);
  const at::Tensor nearest = distances.argmin(1).to(at::kCPU).to(at::kInt).contiguous();
  return std::vector<int>(nearest.data_ptr<int>(), nearest.data_ptr<int>() + nearest.numel());
}

Result<Image> VqImageCodec::Decode(std::span<const int> codes) const {
  const auto known = static_cast<int64_t>(codes.size());
  if (known > grid_ * grid_) {
    return InvalidArgument("a picture has " + std::to_string(grid_ * grid_) + " codes, not " +
                           std::to_string(known));
  }
  for (const int code : codes) {
    if (code >= 0 && code < codebook_size_) continue;
    return InvalidArgument("code " + std::to_string(code) + " is not one of " +
                           std::to_string(codebook_size_));
  }
  const c10::InferenceMode inference;
  const at::Tensor indices = at::empty({known}, at::kLong);
  std::ranges::copy(codes, indices.data_ptr<int64_t>());
  const at::Tensor vectors = at::cat(
      {vectors_.index_select(0, indices.to(device_)), mean_.expand({grid_ * grid_ - known, vector_size_})});
  const at::Tensor latents = vectors.t().reshape({1, vector_size_, grid_, grid_});
  const at::Tensor painted = decoder_.Forward(latents)[0].add(1.0).div_(2.0);  // [3, side, side]
  const at::Tensor bytes = painted.clamp_(0.0, 1.0)
                               .mul_(255.0)
                               .round_()
                               .to(at::kByte)
                               .permute({1, 2, 0})
                               .to(at::kCPU)
                               .contiguous();
  const uint8_t* first = bytes.data_ptr<uint8_t>();
  Image picture{.width = static_cast<int>(side_),
                .height = static_cast<int>(side_),
                .rgb = {first, first + bytes.numel()}};
  const int64_t cell = side_ / grid_;  // pixels on a side that fall to a code
  for (int64_t code = known; code < grid_ * grid_; ++code) {
    for (int64_t row = code / grid_ * cell; row < (code / grid_ + 1) * cell; ++row) {
      std::fill_n(picture.rgb.begin() + 3 * (row * side_ + code % grid_ * cell), 3 * cell, kBlank);
    }
  }
  return picture;
}

}  // namespace antiphon
