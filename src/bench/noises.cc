#include "bench/noises.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <random>

namespace antiphon::bench {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;

// A two-pole resonator.
class Resonance {
 public:
  Resonance(double hertz, double width, int sample_rate)
      : radius_(std::exp(-std::numbers::pi * width / sample_rate)),
        turn_(2.0 * radius_ * std::cos(kTwoPi * hertz / sample_rate)) {}

  double operator()(double input) {
    const double output = input + turn_ * last_ - radius_ * radius_ * before_;
    before_ = last_;
    return last_ = output;
  }

 private:
  const double radius_;
  const double turn_;
  double last_ = 0;
  double before_ = 0;
};

class Maker {
 public:
  Maker(uint32_t seed, int sample_rate) : random_(seed), rate_(sample_rate) {}

  double Between(double least, double most) {
    return least + (most - least) * static_cast<double>(random_()) / 4294967295.0;
  }

  // Breath that bursts out and fades.
  void Burst(double seconds) {
    Resonance throat(Between(450, 800), 180, rate_);
    Resonance mouth(Between(1200, 1900), 250, rate_);
    const double fade = Between(4, 7) / seconds;
    for (size_t i = 0; i < Samples(seconds); ++i) {
      const double t = static_cast<double>(i) / rate_;
      const double breath = Between(-1, 1) * std::min(1.0, t / 0.004) * std::exp(-fade * t);
      samples_.push_back(throat(breath) + 0.6 * mouth(breath));
    }
  }

  // A voice through the nose, from one pitch to another.
  void Nasal(double seconds, double from, double to) {
    Resonance nose(260, 60, rate_);
    Resonance above(1050, 300, rate_);
    double phase = 0;
    for (size_t i = 0; i < Samples(seconds); ++i) {
      const double done = static_cast<double>(i) / static_cast<double>(Samples(seconds));
      phase += (from + (to - from) * done) / rate_;
      const double pulse = phase >= 1.0 ? 1.0 : 0.0;
      phase -= pulse;
      const double envelope = std::sin(std::numbers::pi * std::min(1.0, done + 0.05));
      samples_.push_back((nose(pulse) + 0.1 * above(pulse)) * envelope);
    }
  }

  void Thump(double seconds) {
    Resonance boards[] = {
        {Between(60, 110), 12, rate_}, {Between(140, 260), 25, rate_}, {Between(400, 800), 80, rate_}};
    for (size_t i = 0; i < Samples(seconds); ++i) {
      const double t = static_cast<double>(i) / rate_;
      const double blow = Between(-1, 1) * std::exp(-t / 0.006);
      double sum = 0;
      for (Resonance& board : boards) sum += board(blow);
      samples_.push_back(sum);
    }
  }

  void Silence(double seconds) { samples_.resize(samples_.size() + Samples(seconds)); }

  // As loud as somebody who talks.
  std::vector<float> Take() {
    double peak = 0;
    for (const double sample : samples_) peak = std::max(peak, std::abs(sample));
    const double gain = Between(0.15, 0.45) / peak;
    std::vector<float> taken;
    for (const double sample : samples_) taken.push_back(static_cast<float>(gain * sample));
    return taken;
  }

 private:
  size_t Samples(double seconds) const { return static_cast<size_t>(seconds * rate_); }

  std::mt19937 random_;
  const int rate_;
  std::vector<double> samples_;
};

}  // namespace

const char* NameOf(Noise kind) {
  switch (kind) {
    case Noise::kCough:
      return "cough";
    case Noise::kHum:
      return "mhm";
    case Noise::kSlam:
      return "slam";
  }
  return "noise";
}

std::vector<float> MakeNoise(Noise kind, uint32_t seed, int sample_rate) {
  Maker maker(seed, sample_rate);
  if (kind == Noise::kCough) {
    // All lengths first: breath draws a number a sample, and a sound should last as long at every rate.
    const double first = maker.Between(0.15, 0.25);
    const double pause = maker.Between(0.02, 0.06);
    const double second = maker.Between(0.12, 0.18);
    maker.Burst(first);
    if (seed % 2 == 1) {
      maker.Silence(pause);
      maker.Burst(second);
    }
  } else if (kind == Noise::kHum) {
    const double pitch = maker.Between(95, 210);
    maker.Nasal(maker.Between(0.11, 0.17), pitch, 0.93 * pitch);
    maker.Silence(maker.Between(0.02, 0.06));
    maker.Nasal(maker.Between(0.14, 0.22), pitch, 1.25 * pitch);
  } else {
    maker.Thump(maker.Between(0.2, 0.4));
  }
  return maker.Take();
}

}  // namespace antiphon::bench
