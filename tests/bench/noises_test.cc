#include "bench/noises.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace antiphon::bench {
namespace {

TEST(NoisesTest, AreShortAndAsLoudAsSpeech) {
  for (const Noise kind : kNoises) {
    for (uint32_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(testing::Message() << NameOf(kind) << " " << seed);
      const std::vector<float> noise = MakeNoise(kind, seed, 16000);
      EXPECT_GE(noise.size(), 16000u * 15 / 100);
      EXPECT_LE(noise.size(), 16000u / 2);
      float peak = 0;
      for (const float sample : noise) {
        ASSERT_TRUE(std::isfinite(sample));
        peak = std::max(peak, std::abs(sample));
      }
      EXPECT_GE(peak, 0.14f);
      EXPECT_LE(peak, 0.46f);
    }
  }
}

TEST(NoisesTest, ASeedIsASound) {
  for (const Noise kind : kNoises) {
    EXPECT_EQ(MakeNoise(kind, 3, 16000), MakeNoise(kind, 3, 16000));
    EXPECT_NE(MakeNoise(kind, 3, 16000), MakeNoise(kind, 5, 16000));
  }
}

TEST(NoisesTest, LastAsLongAtEveryRate) {
  for (const Noise kind : kNoises) {
    EXPECT_NEAR(static_cast<double>(MakeNoise(kind, 3, 48000).size()) / 3,
                static_cast<double>(MakeNoise(kind, 3, 16000).size()), 2.0);
  }
}

}  // namespace
}  // namespace antiphon::bench
