#include "model/image_conv_stack.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/pixel_shuffle.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "model/codec_parameters.h"

namespace antiphon {
namespace {

constexpr int64_t kMaxLayers = 64;
constexpr int64_t kMaxChannels = 4096;
constexpr int64_t kMaxSide = 2048;
constexpr int64_t kMaxValues = 1 << 24;  // of one layer's output: 64 MiB

}  // namespace

at::Tensor ImageConvStack::Conv::Forward(const at::Tensor& x) const {
  return at::conv2d(x, weight, bias, stride, padding);
}

ImageConvStack::ImageConvStack(const std::string& path, int64_t side, double slope,
                               CodecParameters* parameters)
    : slope_(slope), side_(side) {
  const nlohmann::json& list = parameters->Objects(path, kMaxLayers);
  for (size_t i = 0; i < list.size() && parameters->ok(); ++i) {
    const std::string at = path + "." + std::to_string(i);
    const std::string kind = list[i].value("kind", nlohmann::json()).is_string() ? list[i]["kind"] : "";
    parameters->Require(kind == "conv" || kind == "residual", at + ".kind must be conv or residual");
    Layer layer = ReadLayer(at, kind == "residual", parameters);
    parameters->Require(layers_.empty() || layer.inputs == outputs_,
                        at + " does not fit the layer before it");
    ReadSide(at, layer, parameters);
    if (layers_.empty()) inputs_ = layer.inputs;
    outputs_ = layer.outputs;
    layers_.push_back(std::move(layer));
  }
}

ImageConvStack::Layer ImageConvStack::ReadLayer(const std::string& path, bool residual,
                                                CodecParameters* parameters) {
  const auto field = [&](const char* name, int64_t least, int64_t most) {
    return parameters->Integer(path + "." + name, least, most);
  };
  const auto conv = [&](const std::string& name, int64_t inputs, int64_t outputs, int64_t kernel,
                        int64_t stride) {
    return Conv{.weight = parameters->Tensor(name + ".conv.weight", {outputs, inputs, kernel, kernel}),
                .bias = parameters->Tensor(name + ".conv.bias", {outputs}),
                .stride = stride,
                .padding = (kernel - stride + 1) / 2};
  };
  if (residual) {
    const int64_t channels = field("channels", 1, kMaxChannels);
    Layer layer{.conv = conv(path + ".inner", channels, channels, 3, 1),
                .outer = conv(path + ".outer", channels, channels, 3, 1)};
    layer.inputs = layer.outputs = channels;
    return layer;
  }
  Layer layer;
  layer.inputs = field("inputs", 1, kMaxChannels);
  layer.outputs = field("outputs", 1, kMaxChannels);
  layer.activate = field("activate", 0, 1) != 0;
  layer.shuffle = field("shuffle", 1, 8);
  const int64_t kernel = field("kernel", 1, 8);
  const int64_t stride = field("stride", 1, 8);
  parameters->Require(stride <= kernel, path + ".stride is longer than the kernel");
  // Otherwise there is one place more than there should be.
  parameters->Require(stride > 1 || kernel % 2 == 1, path + ".kernel must be odd where the stride is 1");
  layer.conv = conv(path, layer.inputs, layer.outputs * layer.shuffle * layer.shuffle, kernel, stride);
  return layer;
}

void ImageConvStack::ReadSide(const std::string& path, const Layer& layer, CodecParameters* parameters) {
  parameters->Require(side_ % layer.conv.stride == 0, path + ".stride does not divide the side");
  side_ = side_ / layer.conv.stride * layer.shuffle;
  parameters->Require(side_ <= kMaxSide,
                      path + ".shuffle makes the side more than " + std::to_string(kMaxSide));
  parameters->Require(side_ * side_ * layer.outputs <= kMaxValues,
                      path + " makes more than " + std::to_string(kMaxValues) + " values of a picture");
}

at::Tensor ImageConvStack::Forward(at::Tensor x) const {
  for (const Layer& layer : layers_) {
    if (layer.outer) {
      at::Tensor inside = layer.conv.Forward(at::leaky_relu(x, slope_));
      x = layer.outer->Forward(at::leaky_relu_(inside, slope_)).add_(x);
      continue;
    }
    x = layer.conv.Forward(layer.activate ? at::leaky_relu(x, slope_) : x);
    if (layer.shuffle > 1) x = at::pixel_shuffle(x, layer.shuffle);
  }
  return x;
}

}  // namespace antiphon
