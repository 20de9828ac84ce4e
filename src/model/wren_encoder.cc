#include "model/wren_encoder.h"

#include "model/codec_parameters.h"

namespace antiphon {

WrenEncoder::WrenEncoder(const std::string& name, int64_t frame_samples,
                         const std::vector<int64_t>& codebook_sizes, double slope,
                         CodecParameters* parameters, HistoryLayout* layout)
    : mel_(parameters, layout),
      trunk_(name + ".trunk", slope, parameters, layout),
      semantic_(name + ".semantic", slope, parameters, layout),
      acoustic_(name + ".acoustic", slope, parameters, layout),
      quantizer_(name + ".quantizer", codebook_sizes, parameters) {
  const auto head_fits = [&](const CausalStack& head) {
    return head.inputs() == trunk_.outputs() && head.outputs() == quantizer_.width() &&
           head.reduction() == 1 && head.expansion() == 1;
  };
  parameters->Require(trunk_.inputs() == mel_.bands(), name + ".trunk must read mel.bands values");
  parameters->Require(trunk_.expansion() == 1 && mel_.hop() * trunk_.reduction() == frame_samples,
                      name + ".trunk must make one row from a frame");
  parameters->Require(head_fits(semantic_),
                      name + ".semantic must lead from " + name + ".trunk to vector_size");
  parameters->Require(head_fits(acoustic_),
                      name + ".acoustic must lead from " + name + ".trunk to vector_size");
}

at::Tensor WrenEncoder::Forward(const at::Tensor& samples, const at::Tensor& histories) const {
  const at::Tensor rows = trunk_.Forward(mel_.Forward(samples.contiguous(), histories), histories);
  const at::Tensor semantic = semantic_.Forward(rows, histories);
  const at::Tensor acoustic = acoustic_.Forward(rows, histories);
  return quantizer_.Encode(semantic.squeeze(1), acoustic.squeeze(1));
}

}  // namespace antiphon
