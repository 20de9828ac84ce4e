#include "media/opus.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tests/media/signals.h"

namespace antiphon {
namespace {

class OpusTest : public testing::TestWithParam<int> {};

TEST_P(OpusTest, ATonePassesThrough) {
  const int rate = GetParam();
  OpusPacketEncoder encoder = OpusPacketEncoder::Create({.sample_rate = rate}).value();
  OpusPacketDecoder decoder = OpusPacketDecoder::Create(rate).value();
  const size_t step = encoder.packet_samples();
  EXPECT_EQ(step, static_cast<size_t>(rate / 50));
  const std::vector<float> tone = Tone(1000, rate, step * 50);
  std::vector<float> heard;
  for (size_t at = 0; at < tone.size(); at += step) {
    const Result<std::string> packet = encoder.Encode(std::span(tone).subspan(at, step));
    ASSERT_TRUE(packet.ok()) << packet.status().ToString();
    EXPECT_LE(packet->size(), 1276u);
    const Result<std::vector<float>> samples = decoder.Decode(*packet);
    ASSERT_TRUE(samples.ok()) << samples.status().ToString();
    EXPECT_EQ(samples->size(), step);
    heard.insert(heard.end(), samples->begin(), samples->end());
  }
  ASSERT_EQ(heard.size(), tone.size());
  const auto settled = std::span(heard).subspan(step * 5);
  EXPECT_NEAR(ToneAmplitude(settled, 1000, rate), 0.5, 0.03);
  EXPECT_LE(encoder.lookahead_samples(), rate * 3 / 1000);
}

INSTANTIATE_TEST_SUITE_P(Rates, OpusTest, testing::Values(24000, 48000));

TEST(OpusPacketEncoderTest, OptionsOutOfRangeAreRefused) {
  const OpusEncoderOptions cases[] = {{.sample_rate = 0},
                                      {.sample_rate = 16000},
                                      {.sample_rate = 44100},
                                      {.bitrate = 0},
                                      {.bitrate = 5999},
                                      {.bitrate = 1000000},
                                      {.complexity = -1},
                                      {.complexity = 11},
                                      {.expected_loss_percent = -1},
                                      {.expected_loss_percent = 31}};
  for (const OpusEncoderOptions& options : cases) {
    EXPECT_EQ(OpusPacketEncoder::Create(options).status().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(OpusPacketDecoder::Create(8000).status().code(), StatusCode::kInvalidArgument);
}

TEST(OpusPacketEncoderTest, OnlyWholeFinitePacketsAreTaken) {
  OpusPacketEncoder encoder = OpusPacketEncoder::Create({}).value();
  for (const size_t n : {size_t{0}, size_t{479}, size_t{481}, size_t{960}}) {
    EXPECT_EQ(encoder.Encode(std::vector<float>(n)).status().code(), StatusCode::kInvalidArgument) << n;
  }
  std::vector<float> samples(480, 0.0f);
  samples[17] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(encoder.Encode(samples).status().code(), StatusCode::kInvalidArgument);
}

TEST(OpusPacketEncoderTest, ResetMakesItNew) {
  OpusPacketEncoder encoder = OpusPacketEncoder::Create({}).value();
  const std::vector<float> noise = Noise(-20.0f, 480, 3);
  const std::string first = encoder.Encode(noise).value();
  ASSERT_TRUE(encoder.Encode(noise).ok());
  encoder.Reset();
  EXPECT_EQ(encoder.Encode(noise).value(), first);
}

TEST(OpusPacketEncoderTest, PreparingForLossCostsFourMilliseconds) {
  const OpusPacketEncoder fast = OpusPacketEncoder::Create({}).value();
  const OpusPacketEncoder careful = OpusPacketEncoder::Create({.expected_loss_percent = 1}).value();
  EXPECT_EQ(fast.lookahead_samples(), 24 * 5 / 2);
  EXPECT_EQ(careful.lookahead_samples(), 24 * 13 / 2);
}

TEST(OpusPacketDecoderTest, TellsTheLengthOfAPacketWithoutDecodingIt) {
  OpusPacketEncoder encoder = OpusPacketEncoder::Create({}).value();
  const OpusPacketDecoder decoder = OpusPacketDecoder::Create(48000).value();
  EXPECT_EQ(decoder.Length(encoder.Encode(Noise(-20.0f, 480, 3)).value()).value(), 960u);
  EXPECT_EQ(decoder.Length("").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(decoder.Length(std::string("\x03\x00", 2)).status().code(), StatusCode::kInvalidArgument);
}

TEST(OpusPacketDecoderTest, ConcealmentFadesToSilence) {
  OpusPacketEncoder encoder = OpusPacketEncoder::Create({}).value();
  OpusPacketDecoder decoder = OpusPacketDecoder::Create(24000).value();
  const std::vector<float> tone = Tone(300, 24000, 480 * 20);
  for (size_t at = 0; at < tone.size(); at += 480) {
    ASSERT_TRUE(decoder.Decode(encoder.Encode(std::span(tone).subspan(at, 480)).value()).ok());
  }
  std::vector<float> filled;
  for (int lost = 0; lost < 25; ++lost) decoder.Conceal(480, &filled);
  ASSERT_EQ(filled.size(), 25u * 480);
  EXPECT_GT(ToneAmplitude(std::span(filled).first(480), 300, 24000), 0.2);
  EXPECT_LT(ToneAmplitude(std::span(filled).last(480), 300, 24000), 0.02);
}

TEST(OpusPacketDecoderTest, WithoutACopyRecoveryIsConcealment) {
  const std::vector<float> tone = Tone(300, 24000, 480 * 20);
  OpusPacketEncoder encoder = OpusPacketEncoder::Create({}).value();  // in a mode that makes no copies
  OpusPacketDecoder first = OpusPacketDecoder::Create(24000).value();
  OpusPacketDecoder second = OpusPacketDecoder::Create(24000).value();
  std::string packet;
  for (size_t at = 0; at < tone.size(); at += 480) {
    packet = encoder.Encode(std::span(tone).subspan(at, 480)).value();
    ASSERT_TRUE(first.Decode(packet).ok());
    ASSERT_TRUE(second.Decode(packet).ok());
  }
  std::vector<float> recovered, concealed;
  EXPECT_FALSE(first.Recover(packet, 480, &recovered));
  second.Conceal(480, &concealed);
  EXPECT_EQ(recovered, concealed);
}

TEST(OpusPacketDecoderTest, HostilePacketsAreRefusedOrDecodedButNeverHarm) {
  OpusPacketEncoder encoder = OpusPacketEncoder::Create({}).value();
  OpusPacketDecoder decoder = OpusPacketDecoder::Create(24000).value();
  EXPECT_EQ(decoder.Decode("").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(decoder.Decode(std::string(OpusPacketDecoder::kMaxPacketBytes + 1, 'x')).status().code(),
            StatusCode::kInvalidArgument);
  // Code 3 with zero frames, and with frames that add up to more than 120 ms.
  for (const std::string& packet :
       {std::string("\x03", 1), std::string("\x03\x00", 2), std::string("\x1b\x3f", 2)}) {
    EXPECT_EQ(decoder.Decode(packet).status().code(), StatusCode::kInvalidArgument);
  }
  std::mt19937 generator(7);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string packet(1 + generator() % 200, '\0');
    for (char& byte : packet) byte = static_cast<char>(generator());
    const Result<std::vector<float>> samples = decoder.Decode(packet);
    if (!samples.ok()) {
      ++refused;
      EXPECT_EQ(samples.status().code(), StatusCode::kInvalidArgument);
      continue;
    }
    ASSERT_LE(samples->size(), 24000u * 120 / 1000);
    for (const float sample : *samples) ASSERT_TRUE(std::isfinite(sample));
  }
  EXPECT_GT(refused, 0);
  // After all that the stream goes on.
  decoder.Reset();
  const std::vector<float> tone = Tone(1000, 24000, 480 * 20);
  std::vector<float> heard;
  for (size_t at = 0; at < tone.size(); at += 480) {
    heard = decoder.Decode(encoder.Encode(std::span(tone).subspan(at, 480)).value()).value();
  }
  EXPECT_NEAR(ToneAmplitude(heard, 1000, 24000), 0.5, 0.05);
}

}  // namespace
}  // namespace antiphon
