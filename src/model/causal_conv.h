// A causal convolution over time, streaming: it sees the present and what its stream's history holds.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace antiphon {

class CodecParameters;

// Hands out places in the one flat history that a stream has for all its layers.
class HistoryLayout {
 public:
  // Every stream has a history of its own: a model may not ask for more than 16 MiB of it.
  static constexpr int64_t kMaxFloats = 1 << 22;

  // The offset of `floats` values.
  int64_t Reserve(int64_t floats) {
    const int64_t offset = size_;
    size_ += floats;
    return offset;
  }
  int64_t size() const { return size_; }

 private:
  int64_t size_ = 0;
};

// A place in the flat histories of a batch, as [B, rows, channels].
struct HistorySlice {
  int64_t offset = 0;
  int64_t rows = 0;
  int64_t channels = 0;

  int64_t size() const { return rows * channels; }
  // A view: writing to it changes the history. `histories` is [B, layout.size()].
  at::Tensor In(const at::Tensor& histories) const;
};

// Puts the slice's past rows before `x` [B, T, channels] and keeps the last ones for the next call.
at::Tensor JoinHistory(const HistorySlice& slice, const at::Tensor& x, const at::Tensor& histories);

struct ConvShape {
  int64_t inputs = 1;
  int64_t outputs = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
};

// Const after construction; the history is the caller's.
class CausalConv {
 public:
  // Reads `name`.weight [outputs, inputs, kernel] and `name`.bias [outputs]. A stride longer than the kernel,
  // or a history that no longer fits in the layout's limit, is the parameters' failure.
  CausalConv(const std::string& name, const ConvShape& shape, CodecParameters* parameters,
             HistoryLayout* layout);

  // [B, T, inputs] -> [B, T / stride, outputs]. REQUIRES: stride divides T; x is contiguous.
  at::Tensor Forward(const at::Tensor& x, const at::Tensor& histories) const;

  const ConvShape& shape() const { return shape_; }

 private:
  ConvShape shape_;
  HistorySlice past_;  // the last inputs, (kernel - 1) * dilation - (stride - 1) rows
  at::Tensor weight_;  // [outputs, kernel * inputs]
  at::Tensor bias_;    // [outputs]
};

}  // namespace antiphon
