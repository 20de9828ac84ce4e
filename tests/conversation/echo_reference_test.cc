#include "conversation/echo_reference.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace antiphon {
namespace {

constexpr int kRate = 1000;  // a sample a ms

class EchoReferenceTest : public testing::Test {
 protected:
  // Speech whose samples are numbers that go on from one call to the next.
  void Speak(int samples) {
    std::vector<float> speech(static_cast<size_t>(samples));
    std::iota(speech.begin(), speech.end(), static_cast<float>(next_sample_));
    next_sample_ += samples;
    reference_.Add(speech);
  }
  std::vector<float> Read(int samples) {
    std::vector<float> read(static_cast<size_t>(samples), -1.0f);
    reference_.Read(read);
    return read;
  }
  static std::vector<float> From(int first, int samples) {
    std::vector<float> expected(static_cast<size_t>(samples));
    std::iota(expected.begin(), expected.end(), static_cast<float>(first));
    return expected;
  }
  static std::vector<float> Silence(int samples) { return std::vector<float>(static_cast<size_t>(samples)); }

  EchoReference reference_{kRate};
  int next_sample_ = 1;
};

TEST_F(EchoReferenceTest, IsSilentUntilItIsPlayed) {
  EXPECT_EQ(Read(10), Silence(10));
  reference_.Begin(false, 0);
  Speak(100);
  EXPECT_EQ(Read(10), Silence(10));
  reference_.Follow(std::nullopt);
  EXPECT_EQ(Read(10), Silence(10));
}

TEST_F(EchoReferenceTest, IsReadFromWhereItIsPlayed) {
  reference_.Begin(false, 0);
  Speak(100);
  reference_.Follow(20);
  EXPECT_EQ(Read(10), From(21, 10));
  EXPECT_EQ(Read(10), From(31, 10));
}

TEST_F(EchoReferenceTest, BeforeItsBeginningAndBehindItsEndThereIsSilence) {
  reference_.Begin(false, 0);
  Speak(15);
  reference_.Follow(-5);
  std::vector<float> expected = Silence(5);
  expected.insert(expected.end(), {1, 2, 3, 4, 5});
  EXPECT_EQ(Read(10), expected);
  expected = {6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  expected.resize(20);
  EXPECT_EQ(Read(20), expected);
  EXPECT_EQ(Read(5), Silence(5));
}

TEST_F(EchoReferenceTest, SpeechThatComesLaterStandsWhereItBelongs) {
  reference_.Begin(false, 0);
  Speak(10);
  reference_.Follow(0);
  Read(15);
  Speak(20);
  EXPECT_EQ(Read(10), From(16, 10));
}

TEST_F(EchoReferenceTest, KeepsStepWithTheMicrophoneThoughPacketsComeEarlyAndLate) {
  reference_.Begin(false, 0);
  Speak(1000);
  reference_.Follow(0);
  for (int i = 0; i < 40; ++i) {
    reference_.Follow(i * 20 + (i % 2 == 0 ? 90 : -90));
    ASSERT_EQ(Read(20), From(1 + i * 20, 20));
  }
}

TEST_F(EchoReferenceTest, ADifferenceThatLastsIsBelieved) {
  reference_.Begin(false, 0);
  Speak(2000);
  reference_.Follow(0);
  int heard = 0;
  for (; heard < 600; heard += 20) {
    reference_.Follow(heard + 500);
    const std::vector<float> read = Read(20);
    if (read != From(1 + heard, 20)) {
      EXPECT_EQ(read, From(501 + heard, 20));
      break;
    }
  }
  EXPECT_GE(heard, 300);
  EXPECT_LE(heard, 340);
}

TEST_F(EchoReferenceTest, WhilePlaybackIsPausedThereIsSilence) {
  reference_.Begin(false, 0);
  Speak(500);
  reference_.Follow(0);
  Read(50);
  reference_.Follow(std::nullopt);
  EXPECT_EQ(Read(200), Silence(200));
  reference_.Follow(50);
  EXPECT_EQ(Read(10), From(51, 10));
}

TEST_F(EchoReferenceTest, TheNextResponseBeginsAfresh) {
  reference_.Begin(false, 0);
  Speak(500);
  reference_.Follow(0);
  Read(50);
  reference_.Begin(false, 0);
  EXPECT_EQ(Read(10), Silence(10)) << "the rest of the one before is not played";
  Speak(100);
  reference_.Follow(0);
  EXPECT_EQ(Read(10), From(501, 10));
}

TEST_F(EchoReferenceTest, OneThatIsPlayedBehindTheRestOfAnother) {
  reference_.Begin(false, 0);
  Speak(100);
  reference_.Follow(0);
  Read(60);
  reference_.Begin(true, 0);
  reference_.Follow(std::nullopt);  // nothing was sent of it yet
  EXPECT_EQ(Read(20), From(61, 20));
  Speak(50);
  reference_.Follow(-20);
  EXPECT_EQ(Read(40), From(81, 40));
}

TEST_F(EchoReferenceTest, WhatIsNotKeptIsSilenceAndTakesItsTime) {
  reference_.Begin(false, 0);
  reference_.Skip(30);
  Speak(20);
  reference_.Follow(20);
  std::vector<float> expected = Silence(10);
  expected.insert(expected.end(), {1, 2, 3, 4, 5});
  EXPECT_EQ(Read(15), expected);
}

TEST_F(EchoReferenceTest, OnlySoMuchIsKeptWhileNobodyReads) {
  reference_.Begin(false, 0);
  for (int i = 0; i < 130; ++i) Speak(kRate);
  reference_.Follow(0);
  EXPECT_EQ(Read(10), Silence(10)) << "the first of it is gone";
  reference_.Follow(std::nullopt);
  reference_.Follow(125 * kRate);
  EXPECT_EQ(Read(10), From(125 * kRate + 1, 10));
}

TEST_F(EchoReferenceTest, WhatWasMadeElsewhereIsNotKnown) {
  reference_.Begin(false, 100);
  Speak(50);
  reference_.Follow(80);
  std::vector<float> expected = Silence(20);
  expected.insert(expected.end(), {1, 2, 3, 4, 5});
  EXPECT_EQ(Read(25), expected);
}

}  // namespace
}  // namespace antiphon
