#include "model/causal_conv.h"

#include <ATen/ops/cat.h>

#include <algorithm>

#include "kernels/linear.h"
#include "model/codec_parameters.h"

namespace antiphon {

at::Tensor HistorySlice::In(const at::Tensor& histories) const {
  return histories.narrow(1, offset, size()).view({histories.size(0), rows, channels});
}

at::Tensor JoinHistory(const HistorySlice& slice, const at::Tensor& x, const at::Tensor& histories) {
  const at::Tensor past = slice.In(histories);
  at::Tensor joined = at::cat({past, x}, 1);
  past.copy_(joined.narrow(1, x.size(1), slice.rows));
  return joined;
}

CausalConv::CausalConv(const std::string& name, const ConvShape& shape, CodecParameters* parameters,
                       HistoryLayout* layout)
    : shape_(shape) {
  const int64_t rows = (shape.kernel - 1) * shape.dilation - (shape.stride - 1);
  parameters->Require(rows >= 0, name + ": the stride is longer than the kernel");
  past_ = {.offset = 0, .rows = std::max<int64_t>(rows, 0), .channels = shape.inputs};
  past_.offset = layout->Reserve(past_.size());
  parameters->Require(layout->size() <= HistoryLayout::kMaxFloats,
                      name + ": the layers up to it remember more than " +
                          std::to_string(HistoryLayout::kMaxFloats) + " values of a stream");
  const at::Tensor weight = parameters->Tensor(name + ".weight", {shape.outputs, shape.inputs, shape.kernel});
  if (!parameters->ok()) return;
  weight_ = weight.permute({0, 2, 1}).reshape({shape.outputs, shape.kernel * shape.inputs}).contiguous();
  bias_ = parameters->Tensor(name + ".bias", {shape.outputs});
}

at::Tensor CausalConv::Forward(const at::Tensor& x, const at::Tensor& histories) const {
  const int64_t batch = x.size(0);
  const int64_t frames = x.size(1) / shape_.stride;
  at::Tensor rows;  // [B * frames, kernel * inputs]: one matrix product does it all
  if (shape_.kernel == 1) {
    rows = x.reshape({batch * frames, shape_.inputs});
  } else {
    const at::Tensor joined = past_.rows > 0 ? JoinHistory(past_, x, histories) : x;
    const int64_t step = shape_.inputs;
    const int64_t stream = joined.size(1) * step;
    rows = joined
               .as_strided({batch, frames, shape_.kernel, step},
                           {stream, shape_.stride * step, shape_.dilation * step, 1})
               .reshape({batch * frames, shape_.kernel * step})
               .contiguous();
  }
  // The same to the bit whatever else is in the batch, which no general matrix product promises.
  return Linear(rows, weight_).add_(bias_).view({batch, frames, shape_.outputs});
}

}  // namespace antiphon
