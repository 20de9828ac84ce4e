#include "media/opus_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <span>
#include <string>

#include "media/resampler.h"
#include "tests/media/signals.h"

namespace antiphon {
namespace {

constexpr int kRate = 24000;
constexpr size_t kPacket = kRate / 50;  // samples

constexpr TimePoint At(int ms) { return TimePoint{} + std::chrono::milliseconds(1000 + ms); }

using Samples = std::vector<float>;
using Packets = std::vector<std::string>;

// A sentence in packets of 20 ms.
Packets Encoded(int expected_loss_percent) {
  const Audio speech = Synthesise("espeak-ng -s 150 -w {} 'the quick brown fox jumps over the lazy dog'");
  Samples samples = Resample(speech.samples, speech.sample_rate, kRate).value();
  OpusPacketEncoder encoder =
      OpusPacketEncoder::Create({.sample_rate = kRate, .expected_loss_percent = expected_loss_percent})
          .value();
  Packets packets;
  for (size_t at = 0; at + kPacket <= samples.size(); at += kPacket) {
    packets.push_back(encoder.Encode(std::span(samples).subspan(at, kPacket)).value());
  }
  EXPECT_GT(packets.size(), 100u);
  return packets;
}

class OpusStreamTest : public testing::Test {
 protected:
  OpusStreamTest() { Restart(); }

  void Restart() {
    stream_.emplace(OpusStreamDecoder::Create(kRate).value());
    heard_.clear();
  }
  void Hear(const std::vector<DecodedPacket>& packets) {
    for (const DecodedPacket& packet : packets) {
      heard_.insert(heard_.end(), packet.samples.begin(), packet.samples.end());
    }
  }
  void Push(const std::string& packet, uint32_t number, TimePoint received = At(0)) {
    const auto decoded = stream_->Push(packet, number, received);
    ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
    Hear(*decoded);
  }
  // All packets of `packets` but the lost ones, in order, from `first` on.
  void Play(const Packets& packets, const std::vector<size_t>& lost = {}, uint32_t first = 0) {
    for (size_t i = 0; i < packets.size(); ++i) {
      if (std::ranges::find(lost, i) == lost.end()) Push(packets[i], first + static_cast<uint32_t>(i));
    }
    Hear(stream_->Flush());
  }

  std::optional<OpusStreamDecoder> stream_;
  Samples heard_;
};

// What the packets are when all of them come.
Samples Whole(const Packets& packets) {
  OpusPacketDecoder decoder = OpusPacketDecoder::Create(kRate).value();
  Samples whole;
  for (const std::string& packet : packets) {
    const Samples samples = decoder.Decode(packet).value();
    whole.insert(whole.end(), samples.begin(), samples.end());
  }
  return whole;
}

std::span<const float> PacketOf(const Samples& samples, size_t i) {
  return std::span(samples).subspan(i * kPacket, kPacket);
}

// Signal to error in dB, over the packets given.
double Fidelity(const Samples& whole, const Samples& heard, const std::vector<size_t>& packets) {
  double signal = 0, error = 1e-9;
  for (const size_t i : packets) {
    for (size_t k = i * kPacket; k < (i + 1) * kPacket; ++k) {
      signal += std::pow(whole[k], 2);
      error += std::pow(heard[k] - whole[k], 2);
    }
  }
  return 10 * std::log10(signal / error);
}

// Every fifth.
std::vector<size_t> SomeOf(size_t packets) {
  std::vector<size_t> some;
  for (size_t i = 4; i + 1 < packets; i += 5) some.push_back(i);
  return some;
}

TEST_F(OpusStreamTest, InOrderNothingIsChangedAndNothingWaits) {
  const Packets packets = Encoded(0);
  for (size_t i = 0; i < packets.size(); ++i) {
    Push(packets[i], static_cast<uint32_t>(i));
    ASSERT_EQ(heard_.size(), (i + 1) * kPacket);
  }
  EXPECT_EQ(heard_, Whole(packets));
  EXPECT_TRUE(stream_->empty());
  EXPECT_EQ(stream_->TakeFates(), PacketFates{});
  Restart();
  for (const std::string& packet : packets) Hear(stream_->Push(packet, At(0)).value());
  EXPECT_EQ(heard_, Whole(packets)) << "without numbers";
}

TEST_F(OpusStreamTest, AnyOrderWithinTheWaitSoundsTheSame) {
  const Packets packets = Encoded(10);
  std::mt19937 random(5);
  std::vector<size_t> order(packets.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (size_t i = 1; i + 6 <= order.size(); i += 6) {
    std::shuffle(order.begin() + static_cast<ptrdiff_t>(i), order.begin() + static_cast<ptrdiff_t>(i + 6),
                 random);
  }
  const uint32_t first = UINT32_MAX - 50;  // the numbers wrap around on the way
  for (const size_t i : order) {
    Push(packets[i], first + static_cast<uint32_t>(i));
    if (i % 10 == 0) Push(packets[i], first + static_cast<uint32_t>(i));
  }
  EXPECT_EQ(heard_, Whole(packets));
  EXPECT_EQ(stream_->TakeFates(),
            (PacketFates{.duplicates = static_cast<uint32_t>(packets.size() + 9) / 10}));
}

TEST_F(OpusStreamTest, LossesKeepTheirLength) {
  const Packets packets = Encoded(0);
  const std::vector<size_t> lost = {20, 21, 40, 60, 61, 62};
  Play(packets, lost);
  EXPECT_EQ(heard_.size(), packets.size() * kPacket);
  EXPECT_EQ(stream_->TakeFates(), (PacketFates{.concealed = 6}));
  EXPECT_EQ(stream_->TakeFates(), PacketFates{}) << "they are counted once";
  // The voice was going on.
  double energy = 0;
  for (const float sample : PacketOf(heard_, 40)) energy += std::pow(sample, 2);
  EXPECT_GT(energy, 0);
  const Samples whole = Whole(packets);
  EXPECT_TRUE(std::ranges::equal(PacketOf(heard_, 19), PacketOf(whole, 19)));
}

TEST_F(OpusStreamTest, CopiesAreBetterThanConcealment) {
  const Packets packets = Encoded(20);
  const Samples whole = Whole(packets);
  const std::vector<size_t> lost = SomeOf(packets.size());
  Play(packets, lost);
  const PacketFates fates = stream_->TakeFates();
  EXPECT_EQ(fates.recovered + fates.concealed, lost.size());
  EXPECT_GT(fates.recovered, lost.size() / 2) << "of the pauses there are no copies";
  const double with_copies = Fidelity(whole, heard_, lost);

  // The same without the help of the packets behind.
  OpusPacketDecoder decoder = OpusPacketDecoder::Create(kRate).value();
  Samples concealed;
  for (size_t i = 0; i < packets.size(); ++i) {
    if (std::ranges::find(lost, i) != lost.end()) {
      decoder.Conceal(kPacket, &concealed);
    } else {
      const Samples samples = decoder.Decode(packets[i]).value();
      concealed.insert(concealed.end(), samples.begin(), samples.end());
    }
  }
  const double without = Fidelity(whole, concealed, lost);
  EXPECT_GT(with_copies, without + 3) << without;
  EXPECT_GT(with_copies, 3);
}

TEST_F(OpusStreamTest, OfSeveralLostOnesTheLastIsRecovered) {
  const Packets packets = Encoded(20);
  const Samples whole = Whole(packets);
  int recovered = 0;
  for (size_t at = 20; at + 3 < packets.size(); at += 7) {
    Restart();
    Play(packets, {at, at + 1});
    ASSERT_EQ(heard_.size(), whole.size());
    const PacketFates fates = stream_->TakeFates();
    EXPECT_EQ(fates.recovered + fates.concealed, 2u);
    EXPECT_LE(fates.recovered, 1u);
    recovered += static_cast<int>(fates.recovered);
  }
  EXPECT_GT(recovered, 5);
}

TEST_F(OpusStreamTest, ALongGapIsSilenceOfItsLength) {
  const Packets packets = Encoded(20);
  for (const size_t gap : {10u, 11u, 40u}) {
    SCOPED_TRACE(gap);
    Restart();
    std::vector<size_t> lost;
    for (size_t i = 30; i < 30 + gap; ++i) lost.push_back(i);
    Play(packets, lost);
    EXPECT_EQ(heard_.size(), packets.size() * kPacket);
    const auto filled = std::span(heard_).subspan(30 * kPacket, gap * kPacket);
    const bool silent = std::ranges::all_of(filled, [](float sample) { return sample == 0.0f; });
    EXPECT_EQ(silent, gap > OpusStreamDecoder::kMaxConcealed);
    const PacketFates fates = stream_->TakeFates();
    EXPECT_EQ(fates.concealed + fates.recovered, gap);
  }
}

TEST_F(OpusStreamTest, ALostPacketIsAsLongAsTheOneBefore) {
  // 10 ms of silence, two of 60 ms; configurations of RFC 6716, section 3.1, and no bytes behind.
  const std::string ten(1, static_cast<char>(0 << 3)), sixty(1, static_cast<char>(3 << 3));
  Push(ten, 0);
  Push(sixty, 1);
  Push(sixty, 3);
  Hear(stream_->Flush());
  EXPECT_EQ(heard_.size(), kRate / 100u * (1 + 6 + 6 + 6));
}

TEST_F(OpusStreamTest, LateAndRepeatedPacketsChangeNothing) {
  const Packets packets = Encoded(0);
  const std::vector<size_t> lost = {50};
  Play(packets, lost);
  const Samples expected = heard_;
  stream_->TakeFates();
  Restart();
  for (size_t i = 0; i < packets.size(); ++i) {
    if (i != 50) Push(packets[i], static_cast<uint32_t>(i));
    if (i == 60) Push(packets[50], 50);
    if (i == 70) Push(packets[60], 60);
  }
  EXPECT_EQ(heard_, expected);
  EXPECT_EQ(stream_->TakeFates(), (PacketFates{.concealed = 1, .late = 1, .duplicates = 1}));
}

TEST_F(OpusStreamTest, WhatWaitsIsReleasedInTime) {
  const Packets packets = Encoded(0);
  Push(packets[0], 0, At(0));
  Push(packets[2], 2, At(40));
  EXPECT_EQ(heard_.size(), kPacket);
  EXPECT_FALSE(stream_->empty());
  EXPECT_TRUE(stream_->PopOverdue(At(139), At(0)).empty());
  EXPECT_TRUE(stream_->PopOverdue(At(200), At(101)).empty());
  const auto released = stream_->PopOverdue(At(140), At(0));
  ASSERT_EQ(released.size(), 1u);
  EXPECT_EQ(released[0].received, At(40)) << "its own arrival";
  EXPECT_EQ(released[0].samples.size(), 2 * kPacket) << "the lost one and itself";
  EXPECT_TRUE(stream_->empty());
}

TEST_F(OpusStreamTest, TimesOfArrivalDoNotGoBack) {
  const Packets packets = Encoded(0);
  Push(packets[0], 0, At(0));
  Push(packets[2], 2, At(20));
  const auto decoded = stream_->Push(packets[1], 1, At(50));
  ASSERT_TRUE(decoded.ok());
  ASSERT_EQ(decoded->size(), 2u);
  EXPECT_EQ((*decoded)[0].received, At(50));
  EXPECT_EQ((*decoded)[1].received, At(50)) << "only now it could be heard";
}

TEST_F(OpusStreamTest, BrokenPacketsAreRefusedAndTheirPlaceStaysOpen) {
  const Packets packets = Encoded(0);
  Push(packets[0], 0);
  for (const std::string& broken : {std::string(), std::string("\x03\x00", 2),
                                    std::string(OpusPacketDecoder::kMaxPacketBytes + 1, 'x')}) {
    EXPECT_EQ(stream_->Push(broken, 1, At(0)).status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(stream_->Push(broken, At(0)).status().code(), StatusCode::kInvalidArgument);
  }
  Push(packets[2], 2);
  EXPECT_EQ(heard_.size(), kPacket) << "packet 1 may still come";
  Push(packets[1], 1);
  EXPECT_EQ(heard_, Samples(Whole({packets[0], packets[1], packets[2]})));
}

TEST_F(OpusStreamTest, ANumberFarAwayIsRefusedUntilASecondOneFollowsIt) {
  const Packets packets = Encoded(0);
  Push(packets[0], 0);
  Push(packets[2], 2);
  const auto far = stream_->Push(packets[3], 5000, At(0));
  EXPECT_EQ(far.status().code(), StatusCode::kOutOfRange);
  EXPECT_NE(far.status().message().find("5000"), std::string::npos) << far.status().message();
  EXPECT_EQ(heard_.size(), kPacket) << "and nothing has changed";
  Push(packets[4], 5001);
  EXPECT_EQ(heard_.size(), 4 * kPacket)
      << "what waited, the lost one before it, and the first of the new count";
  Push(packets[5], 5002);
  EXPECT_EQ(heard_.size(), 5 * kPacket);
  EXPECT_EQ(stream_->TakeFates(), (PacketFates{.concealed = 1}));
}

TEST_F(OpusStreamTest, APacketWithoutANumberEndsTheWaitingAndTheCount) {
  const Packets packets = Encoded(0);
  Push(packets[0], 77);
  Push(packets[2], 79);
  Hear(stream_->Push(packets[3], At(0)).value());
  EXPECT_EQ(heard_.size(), 4 * kPacket);
  Push(packets[4], 3'000'000);
  EXPECT_EQ(heard_.size(), 5 * kPacket);
  EXPECT_EQ(stream_->TakeFates(), (PacketFates{.concealed = 1}));
}

}  // namespace
}  // namespace antiphon
