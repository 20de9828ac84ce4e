// Samples to codes: log-mel front end, causal convolutions, codebooks.
#pragma once

#include <string>
#include <vector>

#include "model/causal_stack.h"
#include "model/mel_spectrogram.h"
#include "model/residual_quantizer.h"

namespace antiphon {

// Wren has two of the same shape: the codec's own, and its ears. Const after construction; the histories are
// the caller's.
class WrenEncoder {
 public:
  // Reads the lists of layers `name`.trunk, .semantic and .acoustic of the parameters' section, their tensors
  // and codebooks (`name`.quantizer.*), and what MelSpectrogram reads.
  WrenEncoder(const std::string& name, int64_t frame_samples, const std::vector<int64_t>& codebook_sizes,
              double slope, CodecParameters* parameters, HistoryLayout* layout);

  // One frame of each of B streams: samples [B, frame_samples] -> codes [B, K] int64.
  at::Tensor Forward(const at::Tensor& samples, const at::Tensor& histories) const;

  const ResidualQuantizer& quantizer() const { return quantizer_; }

 private:
  const MelSpectrogram mel_;
  const CausalStack trunk_, semantic_, acoustic_;
  const ResidualQuantizer quantizer_;
};

}  // namespace antiphon
