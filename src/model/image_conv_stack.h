// A chain of convolutions over square pictures: what the image codec's encoder and decoder are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace antiphon {

class CodecParameters;

// Const after construction.
class ImageConvStack {
 public:
  // Reads the list of layers at `path` of the parameters' section and their tensors, `path`.<index>.*, for
  // inputs of `side` x `side` places. A layer is
  //   {"kind": "conv", "inputs", "outputs", "kernel", "stride", "activate": 0 or 1, "shuffle"}:
  //     leaky ReLU if `activate`, the convolution (<index>.conv) to outputs * shuffle^2 channels, zeros
  //     around, then those channels as `shuffle` times the rows and columns (pixel shuffle);
  //   {"kind": "residual", "channels"}:
  //     x + outer(leaky(inner(leaky(x)))), both of kernel 3 (<index>.inner.conv, <index>.outer.conv).
  // A convolution keeps the side, or divides it by the stride. At most 64 layers; channels to 4096, kernel,
  // stride and shuffle to 8, sides to 2048, and a layer makes at most 2^24 values. What is out of these
  // limits is the parameters' failure.
  ImageConvStack(const std::string& path, int64_t side, double slope, CodecParameters* parameters);

  // [B, inputs(), side, side] -> [B, outputs(), side(), side()].
  at::Tensor Forward(at::Tensor x) const;

  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_; }
  int64_t side() const { return side_; }  // of what comes out

 private:
  struct Conv {
    at::Tensor weight;  // [outputs, inputs, kernel, kernel]
    at::Tensor bias;    // [outputs]
    int64_t stride = 1;
    int64_t padding = 0;

    at::Tensor Forward(const at::Tensor& x) const;
  };
  struct Layer {
    Conv conv;
    std::optional<Conv> outer;  // of a residual block
    bool activate = false;
    int64_t shuffle = 1;
    int64_t inputs = 0;
    int64_t outputs = 0;
  };
  Layer ReadLayer(const std::string& path, bool residual, CodecParameters* parameters);
  void ReadSide(const std::string& path, const Layer& layer, CodecParameters* parameters);

  double slope_;
  int64_t inputs_ = 0;
  int64_t outputs_ = 0;
  int64_t side_;
  std::vector<Layer> layers_;
};

}  // namespace antiphon
