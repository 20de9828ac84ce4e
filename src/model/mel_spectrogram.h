// Log-mel spectra of a stream of samples: the codec's ears.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/causal_conv.h"

namespace antiphon {

// Row t of the result is of the `fft` samples that end with sample (t + 1) * hop. Const after construction.
class MelSpectrogram {
 public:
  // Reads the section's "mel" and the tensors mel.window [fft] and mel.filters [fft / 2 + 1, bands].
  MelSpectrogram(CodecParameters* parameters, HistoryLayout* layout);

  // [B, samples] -> [B, samples / hop, bands]. REQUIRES: hop divides samples.
  at::Tensor Forward(const at::Tensor& samples, const at::Tensor& histories) const;

  int64_t hop() const { return hop_; }
  int64_t bands() const { return bands_; }

 private:
  int64_t fft_;
  int64_t hop_;
  int64_t bands_;
  double floor_;   // added to magnitudes before the logarithm
  double offset_;  // the result is (log magnitude + offset) / scale
  double scale_;
  HistorySlice past_;   // fft - hop samples
  at::Tensor window_;   // [fft]
  at::Tensor filters_;  // [bands, fft / 2 + 1]
};

}  // namespace antiphon
