#include "conversation/playback_meter.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

using std::chrono::milliseconds;

constexpr int kRate = 24000;
constexpr uint64_t kFrame = 1920;  // 80 ms

TimePoint At(int ms) { return TimePoint{} + std::chrono::seconds(100) + milliseconds(ms); }

TEST(PlaybackMeterTest, KnowsNoMarginBeforeASecondPiece) {
  PlaybackMeter meter(kRate);
  EXPECT_EQ(meter.least_margin_ms(), 0);
  meter.OnSend(At(0), kFrame);
  EXPECT_EQ(meter.least_margin_ms(), 0);
  EXPECT_EQ(meter.underruns(), 0);
  EXPECT_EQ(meter.sent(), kFrame);
}

TEST(PlaybackMeterTest, TakesTheLeastMarginBeforeEachPiece) {
  PlaybackMeter meter(kRate);
  meter.OnSend(At(0), kFrame);
  meter.OnSend(At(30), kFrame);   // 80 - 30 = 50 ms ahead
  meter.OnSend(At(120), kFrame);  // 160 - 120 = 40
  meter.OnSend(At(130), kFrame);  // 240 - 130 = 110
  EXPECT_EQ(meter.least_margin_ms(), 40);
  EXPECT_EQ(meter.underruns(), 0);
}

TEST(PlaybackMeterTest, CountsAGapAndGoesOnFromThePieceThatEndedIt) {
  PlaybackMeter meter(kRate);
  meter.OnSend(At(0), kFrame);
  meter.OnSend(At(100), kFrame);  // due at 80: a gap of 20 ms
  EXPECT_EQ(meter.underruns(), 1);
  EXPECT_EQ(meter.least_margin_ms(), 0);
  EXPECT_EQ(meter.Played(At(140)), kFrame + kRate * 40 / 1000);
  meter.OnSend(At(170), kFrame);  // playback began anew at 100, so 10 ms are left
  EXPECT_EQ(meter.underruns(), 1);
  meter.OnSend(At(260), kFrame);  // due at exactly 260
  EXPECT_EQ(meter.underruns(), 2);
}

TEST(PlaybackMeterTest, PlaysNoMoreThanWasSent) {
  PlaybackMeter meter(kRate);
  EXPECT_EQ(meter.Played(At(500)), 0u);
  meter.OnSend(At(0), kFrame);
  EXPECT_EQ(meter.Played(At(40)), kFrame / 2);
  EXPECT_EQ(meter.Played(At(9000)), kFrame);
  EXPECT_EQ(meter.Played(At(-10)), 0u);
}

TEST(PlaybackMeterTest, BelievesTheClientAboutItsLoudspeaker) {
  PlaybackMeter meter(kRate);
  meter.OnSend(At(0), 10 * kFrame);
  meter.OnReport(At(200), kRate / 10);  // it began 100 ms late
  EXPECT_EQ(meter.Played(At(200)), static_cast<uint64_t>(kRate / 10));
  meter.OnSend(At(300), kFrame);  // 800 - 200 = 600 ms
  EXPECT_EQ(meter.least_margin_ms(), 600);
}

TEST(PlaybackMeterTest, StandsStillWhileItIsPaused) {
  PlaybackMeter meter(kRate);
  meter.OnSend(At(0), 4 * kFrame);
  meter.Pause(At(80));
  EXPECT_EQ(meter.Played(At(300)), kFrame);
  meter.OnSend(At(600), kFrame);
  meter.Resume(At(700));
  EXPECT_EQ(meter.Played(At(700)), kFrame);
  EXPECT_EQ(meter.Played(At(780)), 2 * kFrame);
  meter.OnSend(At(800), kFrame);
  EXPECT_EQ(meter.underruns(), 0);
  EXPECT_EQ(meter.least_margin_ms(), 5 * 80 - 180);
}

TEST(PlaybackMeterTest, WhatWasLeftOfTheDelayIsLeftAfterAPause) {
  PlaybackMeter meter(kRate, milliseconds(200));
  meter.OnSend(At(0), 4 * kFrame);
  meter.Pause(At(50));
  meter.Pause(At(150));  // no effect
  meter.Resume(At(1000));
  EXPECT_EQ(meter.Played(At(1150)), 0u);
  EXPECT_EQ(meter.Played(At(1230)), kFrame);
  meter.Resume(At(1240));  // no effect
  EXPECT_EQ(meter.Played(At(1310)), 2 * kFrame);
}

TEST(PlaybackMeterTest, AClientThatWasPausedSaysWhereItStopped) {
  PlaybackMeter meter(kRate);
  meter.OnSend(At(0), 4 * kFrame);
  meter.Pause(At(160));
  meter.OnReport(At(180), kFrame);
  EXPECT_EQ(meter.Played(At(500)), kFrame);
  meter.Resume(At(500));
  EXPECT_EQ(meter.Played(At(580)), 2 * kFrame);
}

TEST(PlaybackMeterTest, ADelayIsPlayedLaterAndIsMargin) {
  PlaybackMeter meter(kRate, milliseconds(100));
  meter.OnSend(At(0), kFrame);
  EXPECT_EQ(meter.Played(At(100)), 0u);
  EXPECT_EQ(meter.Played(At(140)), kFrame / 2);
  meter.OnSend(At(150), kFrame);  // due at 180
  EXPECT_EQ(meter.underruns(), 0);
  EXPECT_EQ(meter.least_margin_ms(), 30);
}

TEST(PlaybackMeterTest, KnowsWhenASampleWillHaveBeenPlayed) {
  PlaybackMeter meter(kRate);
  EXPECT_EQ(meter.PlayedAt(0), TimePoint{});
  EXPECT_EQ(meter.PlayedAt(1), TimePoint::max()) << "nothing was sent";
  meter.OnSend(At(0), 2 * kFrame);
  EXPECT_EQ(meter.PlayedAt(kFrame), At(80) + std::chrono::microseconds(1));
  for (uint64_t sample = 1; sample <= 2 * kFrame; ++sample) {
    ASSERT_EQ(meter.Played(meter.PlayedAt(sample)), sample);
  }
  EXPECT_EQ(meter.PlayedAt(2 * kFrame + 1), TimePoint::max());
  meter.OnReport(At(40), kFrame);
  EXPECT_EQ(meter.PlayedAt(2 * kFrame), At(120) + std::chrono::microseconds(1));
  EXPECT_LT(meter.PlayedAt(kFrame / 2), At(40)) << "it was";
  meter.Pause(At(50));
  EXPECT_EQ(meter.PlayedAt(2 * kFrame), TimePoint::max());
}

TEST(PlaybackMeterTest, KnowsWhenPlaybackWouldHaveBegunWithoutItsBreaks) {
  PlaybackMeter meter(kRate, milliseconds(100));
  meter.OnSend(At(0), 4 * kFrame);
  EXPECT_EQ(meter.BeganAt(At(50)), At(100)) << "it will";
  EXPECT_EQ(meter.BeganAt(At(180)), At(100));
  meter.Pause(At(180));
  EXPECT_EQ(meter.BeganAt(At(280)), At(200));
  meter.Resume(At(380));
  EXPECT_EQ(meter.BeganAt(At(460)), At(300));
  EXPECT_EQ(meter.BeganAt(At(1000)), At(1000 - 4 * 80)) << "it has run dry";
}

TEST(PlaybackMeterTest, ClampsImpossibleReports) {
  PlaybackMeter meter(kRate);
  meter.OnReport(At(0), 12345);  // nothing was sent
  EXPECT_EQ(meter.Played(At(50)), 0u);
  meter.OnSend(At(100), kFrame);
  meter.OnReport(At(110), UINT64_MAX);
  EXPECT_EQ(meter.Played(At(110)), kFrame);
  meter.OnReport(At(120), 0);  // back in time: what was played stays played
  EXPECT_EQ(meter.Played(At(120)), kFrame);
}

}  // namespace
}  // namespace antiphon
