#include "media/resampler.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

namespace antiphon {
namespace {

constexpr double kPassband = 0.90;     // of half the lower rate
constexpr double kStopband = 1.05;     // of half the lower rate
constexpr double kAttenuation = 80.0;  // dB

// Kaiser's formulas: window shape and length for an attenuation and a width of the transition.
constexpr double kBeta = 0.1102 * (kAttenuation - 8.7);

double Kaiser(double x) {  // x in [-1, 1]
  return std::cyl_bessel_i(0.0, kBeta * std::sqrt(std::max(0.0, 1.0 - x * x))) /
         std::cyl_bessel_i(0.0, kBeta);
}

double Sinc(double x) {
  if (std::abs(x) < 1e-9) return 1.0;
  return std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
}

}  // namespace

Result<Resampler> Resampler::Create(int input_rate, int output_rate) {
  for (const int rate : {input_rate, output_rate}) {
    if (rate < 4000 || rate > 192000) {
      return InvalidArgument("sample rate is " + std::to_string(rate) + " Hz, must be 4000 to 192000");
    }
  }
  if (output_rate / std::gcd(input_rate, output_rate) > kMaxPhases) {
    return InvalidArgument("cannot convert " + std::to_string(input_rate) + " Hz to " +
                           std::to_string(output_rate) + " Hz: the ratio is not simple enough");
  }
  return Resampler(input_rate, output_rate);
}

Resampler::Resampler(int input_rate, int output_rate) : input_rate_(input_rate), output_rate_(output_rate) {
  const int divisor = std::gcd(input_rate, output_rate);
  up_ = output_rate / divisor;
  down_ = input_rate / divisor;
  if (up_ != down_) BuildTaps();
  Reset();
}

void Resampler::BuildTaps() {
  // All frequencies as a fraction of the input rate.
  const double nyquist = 0.5 * std::min(input_rate_, output_rate_) / input_rate_;
  const double cutoff = 0.5 * (kPassband + kStopband) * nyquist;
  const double transition = 2.0 * std::numbers::pi * (kStopband - kPassband) * nyquist;
  const double reach = 0.5 * (kAttenuation - 8.0) / (2.285 * transition);  // input samples
  half_ = static_cast<int64_t>(std::ceil(reach));
  taps_.resize(static_cast<size_t>(up_ * 2 * half_));
  for (int64_t phase = 0; phase < up_; ++phase) {
    float* row = taps_.data() + phase * 2 * half_;
    const double fraction = static_cast<double>(phase) / static_cast<double>(up_);
    double sum = 0.0;
    for (int64_t k = 0; k < 2 * half_; ++k) {
      // Tap k is for the input sample at distance k + 1 - half_ from the one at or before the output sample.
      const double t = static_cast<double>(k + 1 - half_) - fraction;
      const double value = Sinc(2.0 * cutoff * t) * Kaiser(t / static_cast<double>(half_));
      row[k] = static_cast<float>(value);
      sum += value;
    }
    // Every phase passes a constant unchanged; otherwise a steady level would ripple at the output rate.
    for (int64_t k = 0; k < 2 * half_; ++k) row[k] = static_cast<float>(row[k] / sum);
  }
}

void Resampler::Reset() {
  // Silence before the first sample.
  history_.assign(static_cast<size_t>(std::max<int64_t>(half_ - 1, 0)), 0.0f);
  first_ = std::min<int64_t>(1 - half_, 0);
  produced_ = 0;
}

void Resampler::Resume(int64_t inputs, std::span<const float> last) {
  Reset();
  if (half_ == 0 || inputs == 0) return;
  // As many as Process has produced by then: each that reaches no further than these inputs.
  const int64_t reach = std::max<int64_t>(inputs - half_, 0);
  produced_ = (reach * up_ + down_ - 1) / down_;
  const int64_t centre = produced_ * down_ / up_;
  first_ = std::min(centre + 1 - half_, inputs);
  const auto needed = static_cast<size_t>(inputs - first_);
  last = last.last(std::min(last.size(), needed));
  history_.assign(needed - last.size(), 0.0f);
  history_.insert(history_.end(), last.begin(), last.end());
}

void Resampler::Process(std::span<const float> input, std::vector<float>* output) {
  if (half_ == 0) {
    output->insert(output->end(), input.begin(), input.end());
    return;
  }
  history_.insert(history_.end(), input.begin(), input.end());
  const int64_t end = first_ + static_cast<int64_t>(history_.size());  // of the known input
  int64_t centre = produced_ * down_ / up_;
  while (centre + half_ < end) {
    const float* row = taps_.data() + produced_ * down_ % up_ * 2 * half_;
    const float* samples = history_.data() + (centre + 1 - half_ - first_);
    float sum = 0.0f;
    for (int64_t k = 0; k < 2 * half_; ++k) sum += row[k] * samples[k];
    output->push_back(sum);
    ++produced_;
    centre = produced_ * down_ / up_;
  }
  const int64_t unused = std::min(centre + 1 - half_, end) - first_;
  history_.erase(history_.begin(), history_.begin() + unused);
  first_ += unused;
}

void Resampler::Flush(std::vector<float>* output) {
  if (half_ > 0) {
    // Just enough for every output sample that begins before the end of the input, and for no other.
    const std::vector<float> silence(static_cast<size_t>(half_), 0.0f);
    Process(silence, output);
  }
  Reset();
}

Result<std::vector<float>> Resample(std::span<const float> samples, int input_rate, int output_rate) {
  Result<Resampler> resampler = Resampler::Create(input_rate, output_rate);
  if (!resampler.ok()) return resampler.status();
  std::vector<float> output;
  resampler->Process(samples, &output);
  resampler->Flush(&output);
  return output;
}

}  // namespace antiphon
