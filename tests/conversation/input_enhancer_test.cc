#include "conversation/input_enhancer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/conversation/voice.h"

namespace antiphon {
namespace {

constexpr int kRate = SpeechEnhancer::kSampleRate;
constexpr SpeechEnhancement kAll{NoiseSuppression::kModerate, true};

std::vector<float> InPieces(InputEnhancer& enhancer, const std::vector<float>& samples, size_t piece) {
  std::vector<float> enhanced;
  for (size_t begin = 0; begin < samples.size(); begin += piece) {
    enhancer.Process(std::span(samples).subspan(begin, std::min(piece, samples.size() - begin)), &enhanced);
  }
  return enhanced;
}

double Match(std::span<const float> a, std::span<const float> b, int lag) {
  double sum = 0.0;
  for (size_t i = 400; i + 400 < std::min(a.size(), b.size()); ++i) {
    sum += a[i] * b[static_cast<size_t>(static_cast<int>(i) + lag)];
  }
  return sum;
}

TEST(InputEnhancerTest, PassesEverythingOnWhileThereIsNothingToDo) {
  InputEnhancer enhancer;
  const std::vector<float> voice = Voice(500, kRate);
  EXPECT_EQ(InPieces(enhancer, voice, 77), voice);
  std::vector<float> rest;
  enhancer.Flush(&rest);
  EXPECT_TRUE(rest.empty());
}

TEST(InputEnhancerTest, PiecesDoNotMatter) {
  const std::vector<float> voice = Voice(1000, kRate);
  InputEnhancer whole, pieces;
  whole.Configure(kAll);
  pieces.Configure(kAll);
  EXPECT_EQ(InPieces(whole, voice, voice.size()), InPieces(pieces, voice, 333));
}

TEST(InputEnhancerTest, WhatComesOutStandsWhereItWentIn) {
  const std::vector<float> voice = Voice(1500, kRate);
  InputEnhancer enhancer;
  enhancer.Configure(kAll);
  for (int turn = 0; turn < 2; ++turn) {
    std::vector<float> enhanced = InPieces(enhancer, voice, 320);
    const size_t missing = voice.size() - enhanced.size();
    EXPECT_LE(missing, static_cast<size_t>(kRate * 25 / 1000));
    enhancer.Flush(&enhanced);
    ASSERT_EQ(enhanced.size(), voice.size()) << "all of it, and no more";
    const double there = Match(voice, enhanced, 0);
    for (const int lag : {-40, -20, 20, 40}) EXPECT_GT(there, Match(voice, enhanced, lag)) << lag;
    enhancer.Reset();
  }
}

TEST(InputEnhancerTest, ChangesAtTheNextReset) {
  const std::vector<float> voice = Voice(300, kRate);
  InputEnhancer enhancer;
  EXPECT_EQ(InPieces(enhancer, voice, 320), voice);
  enhancer.Configure(kAll);
  EXPECT_EQ(InPieces(enhancer, voice, 320), voice) << "the stream has begun without";
  enhancer.Reset();
  EXPECT_NE(InPieces(enhancer, voice, 320), voice);
  enhancer.Configure({});
  enhancer.Reset();
  EXPECT_EQ(InPieces(enhancer, voice, 320), voice);
}

}  // namespace
}  // namespace antiphon
