#include "model/causal_stack.h"

#include <ATen/ops/leaky_relu.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "model/codec_parameters.h"

namespace antiphon {
namespace {

constexpr int64_t kMaxChannels = 4096;
constexpr int64_t kMaxLayers = 64;
constexpr int64_t kMaxRateChange = 8192;  // of the whole stack; a layer's 16 times that overflows nothing

}  // namespace

CausalStack::CausalStack(const std::string& path, double slope, CodecParameters* parameters,
                         HistoryLayout* layout)
    : slope_(slope) {
  const nlohmann::json& list = parameters->Objects(path, kMaxLayers);
  for (size_t i = 0; i < list.size() && parameters->ok(); ++i) {
    const std::string at = path + "." + std::to_string(i);
    const std::string kind = list[i].value("kind", nlohmann::json()).is_string() ? list[i]["kind"] : "";
    parameters->Require(kind == "conv" || kind == "residual", at + ".kind must be conv or residual");
    Layer layer = ReadLayer(at, kind == "residual", parameters, layout);
    const int64_t inputs = layer.conv.shape().inputs;
    parameters->Require(layers_.empty() || inputs == outputs_, at + " does not fit the layer before it");
    if (layers_.empty()) inputs_ = inputs;
    outputs_ = layer.conv.shape().outputs / layer.factor;
    reduction_ *= layer.conv.shape().stride;
    expansion_ *= layer.factor;
    parameters->Require(reduction_ <= kMaxRateChange, at + ".stride makes all strides together more than " +
                                                          std::to_string(kMaxRateChange));
    parameters->Require(expansion_ <= kMaxRateChange, at + ".factor makes all factors together more than " +
                                                          std::to_string(kMaxRateChange));
    layers_.push_back(std::move(layer));
  }
}

CausalStack::Layer CausalStack::ReadLayer(const std::string& path, bool residual, CodecParameters* parameters,
                                          HistoryLayout* layout) {
  const auto field = [&](const char* name, int64_t least, int64_t most) {
    return parameters->Integer(path + "." + name, least, most);
  };
  if (residual) {
    const int64_t channels = field("channels", 1, kMaxChannels);
    const int64_t dilation = field("dilation", 1, 64);
    const ConvShape inner{
        .inputs = channels, .outputs = channels, .kernel = 3, .stride = 1, .dilation = dilation};
    const ConvShape outer{.inputs = channels, .outputs = channels, .kernel = 1, .stride = 1, .dilation = 1};
    return {.conv = CausalConv(path + ".inner", inner, parameters, layout),
            .outer = CausalConv(path + ".outer", outer, parameters, layout)};
  }
  const int64_t factor = field("factor", 1, 16);
  const ConvShape shape{.inputs = field("inputs", 1, kMaxChannels),
                        .outputs = field("outputs", 1, kMaxChannels) * factor,
                        .kernel = field("kernel", 1, 32),
                        .stride = field("stride", 1, 16),
                        .dilation = field("dilation", 1, 64)};
  return {.conv = CausalConv(path, shape, parameters, layout),
          .outer = std::nullopt,
          .activate = field("activate", 0, 1) != 0,
          .factor = factor};
}

at::Tensor CausalStack::Forward(at::Tensor x, const at::Tensor& histories) const {
  for (const Layer& layer : layers_) {
    if (layer.outer) {
      at::Tensor inside = layer.conv.Forward(at::leaky_relu(x, slope_), histories);
      x = layer.outer->Forward(at::leaky_relu_(inside, slope_), histories).add_(x);
      continue;
    }
    x = layer.conv.Forward(layer.activate ? at::leaky_relu(x, slope_) : x, histories);
    if (layer.factor > 1) {
      x = x.view({x.size(0), x.size(1) * layer.factor, layer.conv.shape().outputs / layer.factor});
    }
  }
  return x;
}

}  // namespace antiphon
