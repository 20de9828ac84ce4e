#include "model/source_filter_decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/fft_irfft.h>
#include <ATen/ops/fft_rfft.h>
#include <ATen/ops/floor.h>
#include <ATen/ops/frac.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/codec_parameters.h"

namespace antiphon {
namespace {

constexpr double kAtPulse = 1e-3;  // below this |sin(phase / 2)| the quotient's limit is taken

// Of a voice: factors of the pitch and of the filters' frequencies. As the trainer has them (VOICES in
// models/training/audio_codec/source_filter.py); docs/audio_codec.md says how they were chosen.
struct VoiceFactors {
  double pitch;
  double tract;
};
constexpr std::array<VoiceFactors, kSpeechVoices> kVoices = {{{1.0, 1.0}, {0.62, 0.86}}};

// The normal one first: where there are no others, it is the one that is found.
constexpr std::array kSpeeds = {SpeechSpeed::kNormal, SpeechSpeed::kSlow, SpeechSpeed::kFast};

const VoiceFactors& FactorsOf(SpeechVoice voice) { return kVoices[static_cast<size_t>(voice)]; }

bool HasManners(int64_t hop) { return hop % 4 == 0 && hop % 5 == 0; }

}  // namespace

SourceFilterDecoder::SourceFilterDecoder(int64_t frame_samples, double slope, CodecParameters* parameters,
                                         HistoryLayout* layout)
    : hop_(parameters->Integer("source.hop", 1, 8192)),
      hops_(frame_samples / hop_),
      bins_(hop_ + 1),
      has_manners_(HasManners(hop_)),
      longest_hop_(has_manners_ ? SamplesAt(SpeechSpeed::kSlow, hop_) : hop_),
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
  parameters->Require(hops_ * hop_ == frame_samples, "source.hop must divide the frame");
  parameters->Require(net_.reduction() == 1 && net_.expansion() == hops_,
                      "decoder.net must make one row for each source.hop");
  parameters->Require(
      filters_.inputs() == net_.outputs() && filters_.outputs() == 2 * bins_ && same_rate(filters_),
      "decoder.filters must make 2 * (source.hop + 1) values from decoder.net's rows");
  parameters->Require(pitch_.inputs() == net_.outputs() && pitch_.outputs() == 1 && same_rate(pitch_),
                      "decoder.pitch must make one value from decoder.net's rows");
  past_source_ = {.offset = layout->Reserve(2 * longest_hop_), .rows = 2, .channels = longest_hop_};
  overlap_ = {.offset = layout->Reserve(longest_hop_), .rows = 1, .channels = longest_hop_};
  const at::Tensor window = parameters->Tensor("source.window", {2 * hop_});
  const at::Tensor table = parameters->Tensor("source.noise", {noise_length_});
  if (!parameters->ok()) return;  // the sizes may be anything
  const int64_t frame = hops_ * longest_hop_;
  noise_ =
      table.repeat({1 + (frame + noise_length_ - 1) / noise_length_}).narrow(0, 0, noise_length_ + frame);
  ramp_ = at::arange(1, longest_hop_ + 1, table.options().dtype(at::kDouble));
  for (const SpeechSpeed speed : kSpeeds) {
    WindowHalves& halves = windows_[static_cast<size_t>(speed)];
    if (speed == SpeechSpeed::kNormal) {
      halves = {window.narrow(0, 0, hop_), window.narrow(0, hop_, hop_)};
    } else if (has_manners_) {
      const int64_t hop = SamplesAt(speed, hop_);
      const at::Tensor angle = at::arange(hop, ramp_.options()) * (std::numbers::pi / (2.0 * hop));
      halves = {at::sin(angle).to(at::kFloat), at::cos(angle).to(at::kFloat)};
    }
    if (!has_manners_) continue;
    for (const SpeechVoice voice : {SpeechVoice::kOwn, SpeechVoice::kLow}) {
      filter_maps_[static_cast<size_t>(voice)][static_cast<size_t>(speed)] =
          MapFilters(voice, 2 * SamplesAt(speed, hop_));
    }
  }
}

// Bin b of the new spectrum is at b / size of the sample rate; the vocal tract had that at a frequency higher
// by 1 / tract. Beyond the last bin everything is as there.
SourceFilterDecoder::FilterMap SourceFilterDecoder::MapFilters(SpeechVoice voice, int64_t size) const {
  const double scale =
      static_cast<double>(bins_ - 1) / (static_cast<double>(size / 2) * FactorsOf(voice).tract);
  const at::Tensor from = at::arange(size / 2 + 1, ramp_.options()).mul_(scale).clamp_max_(bins_ - 1);
  const at::Tensor left = at::floor(from).clamp_max_(bins_ - 2);
  return {left.to(at::kLong), (from - left).to(at::kFloat)};
}

int64_t SourceFilterDecoder::HopBefore(const AudioDecoderState& state) const {
  return state.last_hop == 0 ? SamplesAt(state.manner.speed, hop_) : state.last_hop;
}

at::Tensor SourceFilterDecoder::Pulses(const at::Tensor& log_pitch,
                                       std::span<AudioDecoderState* const> states) const {
  const int64_t batch = log_pitch.size(0);
  const SpeechManner manner = states[0]->manner;
  const int64_t hop = SamplesAt(manner.speed, hop_);
  at::Tensor pitch = log_pitch.exp();  // [B, hops]
  if (manner.voice != SpeechVoice::kOwn) pitch.mul_(FactorsOf(manner.voice).pitch);
  pitch.clamp_(lowest_pitch_, highest_pitch_);
  // Phases are summed in double: an error in them would never fade.
  const at::Tensor step = pitch.to(at::kDouble).div_(sample_rate_);  // turns a sample
  const at::Tensor ends = (step * static_cast<double>(hop)).cumsum_(1);
  const at::Tensor starts = at::empty({batch}, ends.options().device(at::kCPU));
  const at::Tensor last = ends.select(1, hops_ - 1).to(at::kCPU);
  for (int64_t b = 0; b < batch; ++b) {
    double& phase = states[static_cast<size_t>(b)]->phase;
    starts.data_ptr<double>()[b] = phase;
    phase += last[b].item<double>();
    phase -= std::floor(phase);
  }
  const at::Tensor before = ends - step * static_cast<double>(hop) + starts.to(ends.device()).unsqueeze(1);
  const at::Tensor turns =
      at::addcmul(before.unsqueeze(2), step.unsqueeze(2), ramp_.narrow(0, 0, hop));  // [B, hops, hop]
  const at::Tensor phase = at::frac(turns).to(at::kFloat).mul_(2.0 * std::numbers::pi);

  // sum of cos(k phase), k = 1 .. count, as a quotient of sines, scaled to the power of one cosine.
  const at::Tensor count = at::floor(highest_harmonic_ / pitch).unsqueeze(2);
  const at::Tensor half = at::sin(phase * 0.5);
  const at::Tensor quotient = at::sin((count + 0.5) * phase).div_(half).sub_(1.0).mul_(0.5);
  const at::Tensor pulses = at::where(half.abs() < kAtPulse, count, quotient).div_((count * 0.5).sqrt_());
  return pulses.view({batch, hops_ * hop});
}

at::Tensor SourceFilterDecoder::Noise(std::span<AudioDecoderState* const> states, int64_t count) const {
  std::vector<at::Tensor> rows;
  rows.reserve(states.size());
  for (const AudioDecoderState* state : states) {
    rows.push_back(noise_.narrow(0, state->position % noise_length_, count));
  }
  return at::stack(rows);
}

const SourceFilterDecoder::WindowHalves& SourceFilterDecoder::HalvesOf(int64_t hop) const {
  const auto speed = std::ranges::find_if(kSpeeds, [&](SpeechSpeed s) { return SamplesAt(s, hop_) == hop; });
  return windows_[static_cast<size_t>(*speed)];
}

at::Tensor SourceFilterDecoder::Gains(const at::Tensor& log_gains, SpeechVoice voice, int64_t size) const {
  if (voice == SpeechVoice::kOwn && size == 2 * hop_) return log_gains.exp();
  const auto speed =
      std::ranges::find_if(kSpeeds, [&](SpeechSpeed s) { return 2 * SamplesAt(s, hop_) == size; });
  const FilterMap& map = filter_maps_[static_cast<size_t>(voice)][static_cast<size_t>(*speed)];
  return at::lerp(log_gains.index_select(-1, map.left), log_gains.index_select(-1, map.left + 1), map.share)
      .exp_();
}

at::Tensor SourceFilterDecoder::Filter(const at::Tensor& source, const at::Tensor& log_gains,
                                       SpeechManner manner, int64_t before,
                                       const at::Tensor& histories) const {
  const int64_t batch = source.size(0);
  const int64_t hop = SamplesAt(manner.speed, hop_);
  const int64_t hops = log_gains.size(1);
  const int64_t size = 2 * std::max(before, hop);
  const at::Tensor window = at::cat({HalvesOf(before).rising, HalvesOf(hop).falling});
  const at::Tensor past = past_source_.In(histories);
  const at::Tensor joined = at::cat({past.narrow(2, 0, before), source}, 2);  // [B, 2, before + hops * hop]
  past.narrow(2, 0, hop).copy_(source.narrow(2, (hops - 1) * hop, hop));
  const int64_t row = joined.size(2);
  const at::Tensor frames =
      joined.as_strided({batch, 2, hops, before + hop}, {2 * row, row, hop, 1}) * window;
  const at::Tensor gains = Gains(log_gains, manner.voice, size).transpose(1, 2);  // [B, 2, hops, bins]
  const at::Tensor spectrum = at::fft_rfft(frames, size).mul_(gains).sum(1);      // [B, hops, bins]
  const at::Tensor made = at::fft_irfft(spectrum, size).narrow(2, 0, before + hop) * window;
  const at::Tensor second = made.narrow(2, before, hop);
  const at::Tensor carried = overlap_.In(histories);  // [B, 1, longest hop]
  // More than one hop only where all are alike.
  at::Tensor late = carried.narrow(2, 0, before);
  late = hops == 1 ? late.clone() : at::cat({late, second.narrow(1, 0, hops - 1)}, 1);
  carried.narrow(2, 0, hop).copy_(second.narrow(1, hops - 1, 1));
  return late.add_(made.narrow(2, 0, before)).view({batch, hops * before});
}

at::Tensor SourceFilterDecoder::Render(const at::Tensor& log_gains, const at::Tensor& log_pitch,
                                       std::span<AudioDecoderState* const> states,
                                       const at::Tensor& histories) const {
  const SpeechManner manner = states[0]->manner;
  const int64_t hop = SamplesAt(manner.speed, hop_);
  const int64_t before = HopBefore(*states[0]);
  const at::Tensor source = at::stack({Pulses(log_pitch, states), Noise(states, hops_ * hop)}, 1);
  for (AudioDecoderState* state : states) {
    state->position += hops_ * hop;
    state->last_hop = hop;
  }
  if (before == hop) return Filter(source, log_gains, manner, before, histories);
  // The window of the first hop joins two lengths.
  const at::Tensor first =
      Filter(source.narrow(2, 0, hop), log_gains.narrow(1, 0, 1), manner, before, histories);
  if (hops_ == 1) return first;
  const at::Tensor others = Filter(source.narrow(2, hop, (hops_ - 1) * hop),
                                   log_gains.narrow(1, 1, hops_ - 1), manner, hop, histories);
  return at::cat({first, others}, 1);
}

std::vector<at::Tensor> SourceFilterDecoder::Forward(const at::Tensor& vectors,
                                                     std::span<AudioDecoderState* const> states,
                                                     const at::Tensor& histories) const {
  const int64_t batch = vectors.size(0);
  at::Tensor hidden = net_.Forward(vectors, histories);
  hidden = at::leaky_relu_(hidden, slope_);  // [B, hops, channels]
  const at::Tensor log_gains =
      filters_.Forward(hidden, histories).clamp_(lowest_gain_, highest_gain_).view({batch, hops_, 2, bins_});
  const at::Tensor log_pitch = pitch_.Forward(hidden, histories).view({batch, hops_});
  const bool alike = std::ranges::all_of(states, [&](const AudioDecoderState* state) {
    return state->manner == states[0]->manner && HopBefore(*state) == HopBefore(*states[0]);
  });
  if (alike) return Render(log_gains, log_pitch, states, histories).unbind(0);
  // The network was the most of the work; the rest is done for each by itself.
  std::vector<at::Tensor> samples;
  for (int64_t b = 0; b < batch; ++b) {
    samples.push_back(Render(log_gains.narrow(0, b, 1), log_pitch.narrow(0, b, 1),
                             states.subspan(static_cast<size_t>(b), 1), histories.narrow(0, b, 1))[0]);
  }
  return samples;
}

}  // namespace antiphon
