#include "model/residual_quantizer.h"

#include <ATen/ATen.h>

#include <string>

#include "kernels/linear.h"
#include "model/codec_parameters.h"

namespace antiphon {

ResidualQuantizer::ResidualQuantizer(const std::string& name, const std::vector<int64_t>& sizes,
                                     CodecParameters* parameters)
    : width_(parameters->Integer("vector_size", 1, 4096)) {
  for (size_t k = 0; k < sizes.size(); ++k) {
    const torch::Tensor vectors =
        parameters->Tensor(name + "." + std::to_string(k) + ".vectors", {sizes[k], width_});
    if (!parameters->ok()) return;
    books_.push_back(
        {.nearest_weight = vectors.mul(-2.0), .nearest_bias = vectors.square().sum(1), .decoded = vectors});
  }
  const torch::Tensor weight = parameters->Tensor(name + ".predict.weight", {width_, width_});
  const torch::Tensor bias = parameters->Tensor(name + ".predict.bias", {width_});
  if (parameters->ok()) books_[0].decoded = at::addmm(bias, books_[0].decoded, weight.t());
}

torch::Tensor ResidualQuantizer::Encode(const torch::Tensor& semantic, const torch::Tensor& acoustic) const {
  std::vector<torch::Tensor> codes;
  codes.reserve(books_.size());
  torch::Tensor rest = acoustic;
  for (const Codebook& book : books_) {
    const torch::Tensor& wanted = codes.empty() ? semantic : rest;
    // |v - x|^2 without |x|^2, which is the same for all v.
    codes.push_back(Linear(wanted, book.nearest_weight).add_(book.nearest_bias).argmin(1));
    if (codes.size() < books_.size()) rest = rest - book.decoded.index_select(0, codes.back());
  }
  return at::stack(codes, 1);
}

torch::Tensor ResidualQuantizer::Decode(const torch::Tensor& codes) const {
  torch::Tensor sum;
  for (size_t k = 0; k < books_.size(); ++k) {
    const torch::Tensor part = books_[k].decoded.index_select(0, codes.select(1, static_cast<int64_t>(k)));
    sum = k == 0 ? part : sum.add_(part);
  }
  return sum;
}

}  // namespace antiphon
