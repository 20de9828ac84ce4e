#include "model/mel_spectrogram.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/fft_rfft.h>

#include <algorithm>

#include "kernels/linear.h"
#include "model/codec_parameters.h"

namespace antiphon {

MelSpectrogram::MelSpectrogram(CodecParameters* parameters, HistoryLayout* layout)
    : fft_(parameters->Integer("mel.fft", 2, 8192)),
      hop_(parameters->Integer("mel.hop", 1, 8192)),
      bands_(parameters->Integer("mel.bands", 1, 1024)),
      floor_(parameters->Number("mel.floor", 1e-9, 1.0)),
      offset_(parameters->Number("mel.offset", -100.0, 100.0)),
      scale_(parameters->Number("mel.scale", 1e-3, 1e3)) {
  parameters->Require(fft_ % 2 == 0 && fft_ > hop_, "mel.fft must be even and longer than mel.hop");
  past_ = {.offset = 0, .rows = std::max<int64_t>(fft_ - hop_, 0), .channels = 1};
  past_.offset = layout->Reserve(past_.size());
  window_ = parameters->Tensor("mel.window", {fft_});
  filters_ = parameters->Tensor("mel.filters", {fft_ / 2 + 1, bands_}).t().contiguous();
}

at::Tensor MelSpectrogram::Forward(const at::Tensor& samples, const at::Tensor& histories) const {
  const int64_t batch = samples.size(0);
  const int64_t rows = samples.size(1) / hop_;
  const at::Tensor joined = JoinHistory(past_, samples.unsqueeze(2), histories);  // [B, past + samples, 1]
  const at::Tensor frames = joined.as_strided({batch, rows, fft_}, {joined.size(1), hop_, 1}) * window_;
  const at::Tensor magnitudes = at::abs(at::fft_rfft(frames)).view({batch * rows, fft_ / 2 + 1});
  at::Tensor mel = Linear(magnitudes, filters_).add_(floor_).log_();
  return mel.add_(offset_).div_(scale_).view({batch, rows, bands_});
}

}  // namespace antiphon
