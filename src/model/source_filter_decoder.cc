#include "model/source_filter_decoder.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "model/codec_parameters.h"

namespace antiphon {
namespace {

constexpr double kAtPulse = 1e-3;  // below this |sin(phase / 2)| the quotient's limit is taken

}  // namespace

SourceFilterDecoder::SourceFilterDecoder(int64_t frame_samples, double slope, CodecParameters* parameters,
                                         HistoryLayout* layout)
    : samples_(frame_samples),
      hop_(parameters->Integer("source.hop", 1, 8192)),
      hops_(samples_ / hop_),
      bins_(hop_ + 1),
      slope_(slope),
      sample_rate_(parameters->Number("sample_rate", 1.0, 1e6)),
      lowest_pitch_(parameters->Number("source.lowest_pitch", 1.0, 1e4)),
      highest_pitch_(parameters->Number("source.highest_pitch", lowest_pitch_, 1e4)),
      highest_harmonic_(parameters->Number("source.highest_harmonic", highest_pitch_, sample_rate_ / 2)),
      lowest_gain_(parameters->Number("source.lowest_gain", -100.0, 100.0)),
      highest_gain_(parameters->Number("source.highest_gain", lowest_gain_, 100.0)),
      net_("decoder.net", slope, parameters, layout),
      filters_("decoder.filters", slope, parameters, layout),
      pitch_("decoder.pitch", slope, parameters, layout),
      noise_length_(parameters->Integer("source.noise_length", 1, 1 << 24)) {
  const auto same_rate = [](const CausalStack& stack) {
    return stack.reduction() == 1 && stack.expansion() == 1;
  };
  parameters->Require(hops_ * hop_ == samples_, "source.hop must divide the frame");
  parameters->Require(net_.reduction() == 1 && net_.expansion() == hops_,
                      "decoder.net must make one row for each source.hop");
  parameters->Require(
      filters_.inputs() == net_.outputs() && filters_.outputs() == 2 * bins_ && same_rate(filters_),
      "decoder.filters must make 2 * (source.hop + 1) values from decoder.net's rows");
  parameters->Require(pitch_.inputs() == net_.outputs() && pitch_.outputs() == 1 && same_rate(pitch_),
                      "decoder.pitch must make one value from decoder.net's rows");
  past_source_ = {.offset = layout->Reserve(2 * hop_), .rows = 2, .channels = hop_};
  overlap_ = {.offset = layout->Reserve(hop_), .rows = 1, .channels = hop_};
  window_ = parameters->Tensor("source.window", {2 * hop_});
  const torch::Tensor table = parameters->Tensor("source.noise", {noise_length_});
  if (!parameters->ok()) return;  // the sizes may be anything
  noise_ = table.repeat({1 + (samples_ + noise_length_ - 1) / noise_length_})
               .narrow(0, 0, noise_length_ + samples_);
  ramp_ = at::arange(1, hop_ + 1, table.options().dtype(at::kDouble));
}

torch::Tensor SourceFilterDecoder::Pulses(const torch::Tensor& log_pitch,
                                          const std::vector<Clock>& clocks) const {
  const int64_t batch = log_pitch.size(0);
  const torch::Tensor pitch = log_pitch.exp().clamp_(lowest_pitch_, highest_pitch_);  // [B, hops]
  // Phases are summed in double: an error in them would never fade.
  const torch::Tensor step = pitch.to(at::kDouble).div_(sample_rate_);  // turns a sample
  const torch::Tensor ends = (step * static_cast<double>(hop_)).cumsum_(1);
  const torch::Tensor starts = at::empty({batch}, ends.options().device(at::kCPU));
  const torch::Tensor last = ends.select(1, hops_ - 1).to(at::kCPU);
  for (int64_t b = 0; b < batch; ++b) {
    double& phase = *clocks[static_cast<size_t>(b)].phase;
    starts.data_ptr<double>()[b] = phase;
    phase += last[b].item<double>();
    phase -= std::floor(phase);
  }
  const torch::Tensor before =
      ends - step * static_cast<double>(hop_) + starts.to(ends.device()).unsqueeze(1);
  const torch::Tensor turns = at::addcmul(before.unsqueeze(2), step.unsqueeze(2), ramp_);  // [B, hops, hop]
  const torch::Tensor phase = at::frac(turns).to(at::kFloat).mul_(2.0 * std::numbers::pi);

  // sum of cos(k phase), k = 1 .. count, as a quotient of sines, scaled to the power of one cosine.
  const torch::Tensor count = at::floor(highest_harmonic_ / pitch).unsqueeze(2);
  const torch::Tensor half = at::sin(phase * 0.5);
  const torch::Tensor quotient = at::sin((count + 0.5) * phase).div_(half).sub_(1.0).mul_(0.5);
  const torch::Tensor pulses = at::where(half.abs() < kAtPulse, count, quotient).div_((count * 0.5).sqrt_());
  return pulses.view({batch, samples_});
}

torch::Tensor SourceFilterDecoder::Noise(const std::vector<Clock>& clocks) const {
  std::vector<torch::Tensor> rows;
  rows.reserve(clocks.size());
  for (const Clock& clock : clocks) {
    rows.push_back(noise_.narrow(0, (*clock.frames * samples_) % noise_length_, samples_));
  }
  return at::stack(rows);
}

torch::Tensor SourceFilterDecoder::Filter(const torch::Tensor& source, const torch::Tensor& gains,
                                          const torch::Tensor& histories) const {
  const int64_t batch = source.size(0);
  const torch::Tensor past = past_source_.In(histories);
  const torch::Tensor joined = at::cat({past, source}, 2);  // [B, 2, hop + samples]
  past.copy_(source.narrow(2, samples_ - hop_, hop_));
  const int64_t row = joined.size(2);
  const torch::Tensor frames =
      joined.as_strided({batch, 2, hops_, 2 * hop_}, {2 * row, row, hop_, 1}) * window_;
  const torch::Tensor spectrum = at::fft_rfft(frames).mul_(gains).sum(1);      // [B, hops, bins]
  const torch::Tensor made = at::fft_irfft(spectrum, 2 * hop_).mul_(window_);  // [B, hops, 2 * hop]
  const torch::Tensor second = made.narrow(2, hop_, hop_);
  const torch::Tensor carried = overlap_.In(histories);  // [B, 1, hop]
  const torch::Tensor late = at::cat({carried, second.narrow(1, 0, hops_ - 1)}, 1);
  carried.copy_(second.narrow(1, hops_ - 1, 1));
  return late.add_(made.narrow(2, 0, hop_)).view({batch, samples_});
}

torch::Tensor SourceFilterDecoder::Forward(const torch::Tensor& vectors, const std::vector<Clock>& clocks,
                                           const torch::Tensor& histories) const {
  const int64_t batch = vectors.size(0);
  torch::Tensor hidden = net_.Forward(vectors, histories);
  hidden = at::leaky_relu_(hidden, slope_);  // [B, hops, channels]
  const torch::Tensor gains = filters_.Forward(hidden, histories)
                                  .clamp_(lowest_gain_, highest_gain_)
                                  .exp_()
                                  .view({batch, hops_, 2, bins_});
  const torch::Tensor log_pitch = pitch_.Forward(hidden, histories).view({batch, hops_});
  const torch::Tensor source = at::stack({Pulses(log_pitch, clocks), Noise(clocks)}, 1);
  for (const Clock& clock : clocks) ++*clock.frames;
  return Filter(source, gains.transpose(1, 2), histories);
}

}  // namespace antiphon
