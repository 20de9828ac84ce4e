// A chain of causal convolutions: what the codec's encoder and decoder are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "model/causal_conv.h"

namespace antiphon {

// Const after construction; the history is the caller's.
class CausalStack {
 public:
  // Reads the list of layers at `path` of the parameters' section and their tensors, `path`.<index>.*. A
  // layer is
  //   {"kind": "conv", "inputs", "outputs", "kernel", "stride", "dilation", "activate": 0 or 1, "factor"}:
  //     leaky ReLU if `activate`, the convolution to outputs * factor channels, then each row as `factor`
  //     rows;
  //   {"kind": "residual", "channels", "dilation"}:
  //     x + outer(leaky(inner(leaky(x)))), inner of kernel 3, outer of kernel 1.
  // At most 64 layers; channels to 4096, kernel to 32, stride and factor to 16, dilation to 64, and all
  // strides, as all factors, together to 8192. What is out of these limits is the parameters' failure.
  CausalStack(const std::string& path, double slope, CodecParameters* parameters, HistoryLayout* layout);

  // [B, T, inputs()] -> [B, T * rows_out / rows_in, outputs()].
  at::Tensor Forward(at::Tensor x, const at::Tensor& histories) const;

  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_; }
  int64_t reduction() const { return reduction_; }  // input rows for one output row
  int64_t expansion() const { return expansion_; }  // output rows for `reduction` input rows

 private:
  struct Layer {
    CausalConv conv;
    std::optional<CausalConv> outer;  // of a residual block
    bool activate = false;
    int64_t factor = 1;
  };
  Layer ReadLayer(const std::string& path, bool residual, CodecParameters* parameters, HistoryLayout* layout);

  double slope_;
  int64_t inputs_ = 0;
  int64_t outputs_ = 0;
  int64_t reduction_ = 1;
  int64_t expansion_ = 1;
  std::vector<Layer> layers_;
};

}  // namespace antiphon
