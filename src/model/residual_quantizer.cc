#include "model/residual_quantizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/stack.h>

#include <string>

#include "kernels/linear.h"
#include "model/codec_parameters.h"

namespace antiphon {

ResidualQuantizer::ResidualQuantizer(const std::string& name, const std::vector<int64_t>& sizes,
                                     CodecParameters* parameters)
    : width_(parameters->Integer("vector_size", 1, 4096)) {
  for (size_t k = 0; k < sizes.size(); ++k) {
    const at::Tensor vectors =
        parameters->Tensor(name + "." + std::to_string(k) + ".vectors", {sizes[k], width_});
    if (!parameters->ok()) return;
    books_.push_back(
        {.nearest_weight = vectors.mul(-2.0), .nearest_bias = vectors.square().sum(1), .decoded = vectors});
  }
  const at::Tensor weight = parameters->Tensor(name + ".predict.weight", {width_, width_});
  const at::Tensor bias = parameters->Tensor(name + ".predict.bias", {width_});
  if (parameters->ok()) books_[0].decoded = at::addmm(bias, books_[0].decoded, weight.t());
}

at::Tensor ResidualQuantizer::Encode(const at::Tensor& semantic, const at::Tensor& acoustic) const {
  std::vector<at::Tensor> codes;
  codes.reserve(books_.size());
  at::Tensor rest = acoustic;
  for (const Codebook& book : books_) {
    const at::Tensor& wanted = codes.empty() ? semantic : rest;
    // |v - x|^2 without |x|^2, which is the same for all v.
    codes.push_back(Linear(wanted, book.nearest_weight).add_(book.nearest_bias).argmin(1));
    if (codes.size() < books_.size()) rest = rest - book.decoded.index_select(0, codes.back());
  }
  return at::stack(codes, 1);
}

at::Tensor ResidualQuantizer::Decode(const at::Tensor& codes) const {
  at::Tensor sum;
  for (size_t k = 0; k < books_.size(); ++k) {
    const at::Tensor part = books_[k].decoded.index_select(0, codes.select(1, static_cast<int64_t>(k)));
    sum = k == 0 ? part : sum.add_(part);
  }
  return sum;
}

}  // namespace antiphon
