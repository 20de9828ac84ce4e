#include "media/pcm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/media/signals.h"

namespace antiphon {
namespace {

TEST(PcmTest, ReadsLittleEndian) {
  const std::string bytes("\x00\x00\xff\x7f\x00\x80\x01\x00\xff\xff", 10);
  std::vector<float> samples;
  ASSERT_TRUE(AppendPcm16(bytes, &samples).ok());
  EXPECT_EQ(samples,
            (std::vector<float>{0.0f, 32767.0f / 32768.0f, -1.0f, 1.0f / 32768.0f, -1.0f / 32768.0f}));
}

TEST(PcmTest, OddByteCountIsRefusedAndChangesNothing) {
  std::vector<float> samples = {0.5f};
  EXPECT_EQ(AppendPcm16("abc", &samples).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(samples, std::vector<float>{0.5f});
}

TEST(PcmTest, EmptyIsEmpty) {
  std::vector<float> samples;
  EXPECT_TRUE(AppendPcm16("", &samples).ok());
  EXPECT_TRUE(samples.empty());
  EXPECT_EQ(EncodePcm16({}), "");
}

TEST(PcmTest, EveryValueSurvivesTheRoundTrip) {
  std::string bytes;
  for (int value = -32768; value <= 32767; ++value) {
    bytes.push_back(static_cast<char>(value & 0xff));
    bytes.push_back(static_cast<char>((value >> 8) & 0xff));
  }
  std::vector<float> samples;
  ASSERT_TRUE(AppendPcm16(bytes, &samples).ok());
  EXPECT_EQ(EncodePcm16(samples), bytes);
}

TEST(PcmTest, EncodingClampsAndSilencesNonsense) {
  const struct {
    float sample;
    int value;
  } cases[] = {{1.0f, 32767},
               {1.5f, 32767},
               {-1.0f, -32768},
               {-7.0f, -32768},
               {std::numeric_limits<float>::infinity(), 32767},
               {-std::numeric_limits<float>::infinity(), -32768},
               {std::numeric_limits<float>::quiet_NaN(), 0},
               {0.49f / 32768.0f, 0},
               {0.51f / 32768.0f, 1}};
  for (const auto& c : cases) {
    const std::string bytes = EncodePcm16(std::span(&c.sample, 1));
    ASSERT_EQ(bytes.size(), 2u);
    const int value = static_cast<int16_t>(static_cast<uint8_t>(bytes[0]) |
                                           (static_cast<uint16_t>(static_cast<uint8_t>(bytes[1])) << 8));
    EXPECT_EQ(value, c.value) << c.sample;
  }
}

TEST(PcmTest, LevelIsRootMeanSquare) {
  EXPECT_EQ(LevelDbfs({}), -120.0f);
  EXPECT_EQ(LevelDbfs(std::vector<float>(100, 0.0f)), -120.0f);
  EXPECT_NEAR(LevelDbfs(std::vector<float>(100, -1.0f)), 0.0f, 1e-4f);
  EXPECT_NEAR(LevelDbfs(Tone(1000, 16000, 16000, 0.1f)), -23.01f, 0.01f);
}

}  // namespace
}  // namespace antiphon
