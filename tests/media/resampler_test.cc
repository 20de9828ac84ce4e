#include "media/resampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "tests/media/signals.h"

namespace antiphon {
namespace {

struct Rates {
  int input;
  int output;
};

std::string Name(const testing::TestParamInfo<Rates>& rates) {
  return std::to_string(rates.param.input) + "To" + std::to_string(rates.param.output);
}

class ResamplerTest : public testing::TestWithParam<Rates> {
 protected:
  std::vector<float> Convert(std::span<const float> samples) {
    return Resample(samples, GetParam().input, GetParam().output).value();
  }
  double lower_half() const { return 0.5 * std::min(GetParam().input, GetParam().output); }
};

TEST_P(ResamplerTest, KeepsTheLength) {
  const auto [input, output] = GetParam();
  for (const size_t n : {size_t{0}, size_t{1}, size_t{159}, size_t{1000}, size_t{4801}}) {
    const size_t wanted =
        (n * static_cast<size_t>(output) + static_cast<size_t>(input) - 1) / static_cast<size_t>(input);
    EXPECT_EQ(Convert(std::vector<float>(n, 0.1f)).size(), wanted) << n;
  }
}

TEST_P(ResamplerTest, PassesTonesInPlaceAndAtTheirLevel) {
  const auto [input, output] = GetParam();
  for (const double part : {0.05, 0.4, 0.8, 0.9}) {
    const double frequency = std::round(part * lower_half());
    const std::vector<float> got = Convert(Tone(frequency, input, static_cast<size_t>(input)));
    const std::vector<float> ideal = Tone(frequency, output, static_cast<size_t>(output));
    ASSERT_EQ(got.size(), ideal.size());
    const size_t edge = got.size() / 20;
    double error = 0.0;
    for (size_t i = edge; i < got.size() - edge; ++i)
      error = std::max(error, std::abs(double{got[i]} - ideal[i]));
    EXPECT_LT(error, 0.006) << frequency << " Hz";  // 0.1 dB of 0.5
  }
}

TEST_P(ResamplerTest, RemovesWhatTheLowerRateCannotHold) {
  const auto [input, output] = GetParam();
  const double frequency = std::round(1.06 * lower_half());
  if (output >= input) return;  // nothing above it in the input
  const std::vector<float> got = Convert(Tone(frequency, input, static_cast<size_t>(input)));
  const size_t edge = got.size() / 20;
  float loudest = 0.0f;
  for (size_t i = edge; i < got.size() - edge; ++i) loudest = std::max(loudest, std::abs(got[i]));
  EXPECT_LT(loudest, 0.5f * 1.5e-4f);  // 76 dB down
}

TEST_P(ResamplerTest, UpsamplingAddsNoImage) {
  const auto [input, output] = GetParam();
  const double frequency = std::round(0.9 * lower_half());
  const double image = input - frequency;
  if (image >= 0.5 * output) return;  // the output cannot hold it
  const std::vector<float> got = Convert(Tone(frequency, input, static_cast<size_t>(input)));
  EXPECT_LT(ToneAmplitude(got, image, output), 0.5 * 2e-3);
}

TEST_P(ResamplerTest, AConstantStaysConstant) {
  const std::vector<float> got = Convert(std::vector<float>(4000, 0.25f));
  for (size_t i = got.size() / 4; i < got.size() * 3 / 4; ++i) ASSERT_NEAR(got[i], 0.25f, 1e-6f);
}

TEST_P(ResamplerTest, PiecesGiveTheSameSamplesAsTheWhole) {
  const auto [input, output] = GetParam();
  const std::vector<float> noise = Noise(-20.0f, 9000, 5);
  const std::vector<float> whole = Convert(noise);
  Result<Resampler> resampler = Resampler::Create(input, output);
  ASSERT_TRUE(resampler.ok());
  for (int round = 0; round < 2; ++round) {  // Flush makes it ready for another stream
    std::vector<float> pieces;
    size_t at = 0;
    for (size_t step = 1; at < noise.size(); step = step * 7 % 611 + 1) {
      const size_t n = std::min(step, noise.size() - at);
      resampler->Process(std::span(noise).subspan(at, n), &pieces);
      at += n;
      const double lag_ms =
          1000.0 * (static_cast<double>(at) / input - static_cast<double>(pieces.size()) / output);
      ASSERT_LE(lag_ms, resampler->delay_ms() + 1e-9);
    }
    resampler->Flush(&pieces);
    EXPECT_EQ(pieces, whole);
  }
}

INSTANTIATE_TEST_SUITE_P(Rates, ResamplerTest,
                         testing::Values(Rates{16000, 24000}, Rates{24000, 16000}, Rates{48000, 16000},
                                         Rates{16000, 48000}, Rates{44100, 16000}, Rates{22050, 24000},
                                         Rates{8000, 16000}, Rates{192000, 8000}, Rates{16000, 16000}),
                         Name);

TEST(ResamplerLimitsTest, LiveRatesCostLessThanThreeMilliseconds) {
  for (const Rates rates :
       {Rates{16000, 24000}, Rates{24000, 16000}, Rates{48000, 16000}, Rates{16000, 48000}}) {
    EXPECT_LT(Resampler::Create(rates.input, rates.output)->delay_ms(), 3.0);
  }
}

TEST(ResamplerLimitsTest, ResetForgetsTheStream) {
  Resampler resampler = Resampler::Create(24000, 16000).value();
  const std::vector<float> noise = Noise(-20.0f, 1000, 1);
  std::vector<float> first;
  resampler.Process(noise, &first);
  resampler.Reset();
  std::vector<float> second;
  resampler.Process(noise, &second);
  EXPECT_EQ(first, second);
}

TEST(ResamplerLimitsTest, RatesOutOfRangeAreRefused) {
  for (const Rates rates : {Rates{0, 16000}, Rates{-16000, 16000}, Rates{16000, 3999}, Rates{16000, 192001},
                            Rates{16001, 15999}}) {
    EXPECT_EQ(Resampler::Create(rates.input, rates.output).status().code(), StatusCode::kInvalidArgument)
        << rates.input << " to " << rates.output;
  }
}

// Wherever a stream is taken up by another resampler, it goes on as it would have.
TEST(ResamplerTest, AnotherOneGoesOnFromThere) {
  const std::vector<std::pair<int, int>> rates = {{24000, 16000}, {16000, 24000}, {16000, 8000},
                                                  {16000, 48000}, {8000, 16000},  {16000, 16000}};
  for (const auto& [from, to] : rates) {
    std::vector<float> input;
    for (int i = 0; i < 700; ++i) input.push_back(std::sin(0.37f * static_cast<float>(i * i % 101)));
    for (const size_t cut :
         {size_t{0}, size_t{1}, size_t{7}, size_t{33}, size_t{64}, size_t{333}, size_t{480}}) {
      Resampler first = Resampler::Create(from, to).value();
      std::vector<float> whole, rest;
      first.Process(std::span(input).first(cut), &whole);
      Resampler second = Resampler::Create(from, to).value();
      second.Resume(first.inputs(), first.last_inputs());
      const size_t produced = whole.size();
      first.Process(std::span(input).subspan(cut), &whole);
      second.Process(std::span(input).subspan(cut), &rest);
      EXPECT_EQ(rest, std::vector<float>(whole.begin() + static_cast<std::ptrdiff_t>(produced), whole.end()))
          << from << " to " << to << " at " << cut;
    }
  }
}

}  // namespace
}  // namespace antiphon
