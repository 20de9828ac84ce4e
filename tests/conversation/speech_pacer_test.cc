#include "conversation/speech_pacer.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int kRate = 16000;
constexpr uint64_t kFrame = 1280;  // 80 ms
constexpr milliseconds kLead{400};

TimePoint At(int ms) { return TimePoint{} + std::chrono::seconds(100) + milliseconds(ms); }

class SpeechPacerTest : public testing::Test {
 protected:
  void Push(int packets) {
    std::vector<OutputPacket> all;
    for (int i = 0; i < packets; ++i) all.push_back({std::to_string(pushed_++), kFrame, std::nullopt});
    pacer_.Push(std::move(all));
  }
  // Sends what may be sent, and returns how many packets that were.
  size_t Send(TimePoint now, milliseconds lead = kLead) {
    uint64_t samples = 0;
    const std::vector<OutputPacket> due = pacer_.PopDue(now, lead);
    for (const OutputPacket& packet : due) {
      EXPECT_EQ(packet.bytes, std::to_string(sent_++));
      samples += packet.samples;
    }
    if (samples == 0) return 0;
    meter_.OnSend(now, samples);
    EXPECT_LE(meter_.sent() - meter_.Played(now), kRate * static_cast<uint64_t>(lead.count()) / 1000);
    return due.size();
  }

  PlaybackMeter meter_{kRate};
  SpeechPacer pacer_{meter_, kRate};
  int pushed_ = 0;
  int sent_ = 0;
};

TEST_F(SpeechPacerTest, TheLeadIsSentAtOnceAndTheRestAsItIsPlayed) {
  Push(10);
  EXPECT_EQ(pacer_.samples(), 10 * kFrame);
  EXPECT_EQ(Send(At(0)), 5u);
  EXPECT_EQ(pacer_.samples(), 5 * kFrame);
  EXPECT_EQ(Send(At(79)), 0u);
  EXPECT_EQ(pacer_.NextDue(kLead), At(80) + microseconds(1));
  EXPECT_EQ(Send(At(81)), 1u);
  EXPECT_EQ(Send(At(241)), 2u);
  EXPECT_EQ(Send(At(1000)), 2u);
  EXPECT_TRUE(pacer_.empty());
  EXPECT_EQ(pacer_.NextDue(kLead), TimePoint::max()) << "nothing waits";
}

TEST_F(SpeechPacerTest, WhatIsDueIsWhatItWasSaidToBe) {
  Push(10);
  Send(At(0));
  for (int left = 5; left > 0; --left) {
    const TimePoint due = pacer_.NextDue(kLead);
    EXPECT_EQ(Send(due - microseconds(2)), 0u);
    EXPECT_EQ(Send(due), 1u) << "else its owner would be woken for nothing, for ever";
  }
}

TEST_F(SpeechPacerTest, NothingIsSentWhileThePlaybackIsPaused) {
  Push(10);
  Send(At(0));
  meter_.Pause(At(100));
  EXPECT_EQ(pacer_.NextDue(kLead), TimePoint::max());
  EXPECT_EQ(Send(At(5000)), 0u);
  meter_.Resume(At(5000));
  EXPECT_EQ(Send(At(5000)), 1u) << "which was due when it was paused";
  EXPECT_EQ(pacer_.NextDue(kLead), At(5060) + microseconds(1));
}

TEST_F(SpeechPacerTest, TheClientSaysWhereThePlaybackIs) {
  Push(10);
  Send(At(0));
  meter_.OnReport(At(70), 0);  // it has only begun
  EXPECT_EQ(Send(At(149)), 0u);
  EXPECT_EQ(Send(At(151)), 1u);
  meter_.OnReport(At(160), 6 * kFrame);  // it has played all there is
  EXPECT_EQ(Send(At(160)), 4u);
}

TEST_F(SpeechPacerTest, AfterAGapThereIsNoFlood) {
  Push(5);
  EXPECT_EQ(Send(At(0)), 5u);
  Push(20);
  EXPECT_EQ(Send(At(3000)), 5u);
}

TEST_F(SpeechPacerTest, ALeadMayChange) {
  Push(20);
  EXPECT_EQ(Send(At(0)), 5u);
  EXPECT_EQ(Send(At(0), milliseconds(800)), 5u);
  EXPECT_EQ(Send(At(100)), 0u) << "it is further ahead than it may be now";
  EXPECT_EQ(Send(At(481)), 1u);
}

TEST_F(SpeechPacerTest, ALeadThatIsTooShortForItsPacketsIsTwoOfThem) {
  Push(10);
  uint64_t sent = 0;
  for (const OutputPacket& packet : pacer_.PopDue(At(0), milliseconds(100))) sent += packet.samples;
  EXPECT_EQ(sent, 2 * kFrame);
  meter_.OnSend(At(0), sent);
  EXPECT_EQ(pacer_.PopDue(At(81), milliseconds(100)).size(), 1u);
}

TEST_F(SpeechPacerTest, WhatIsDroppedIsNotSent) {
  Push(10);
  Send(At(0));
  pacer_.Drop();
  EXPECT_TRUE(pacer_.empty());
  EXPECT_EQ(pacer_.samples(), 0u);
  EXPECT_EQ(Send(At(1000)), 0u);
}

}  // namespace
}  // namespace antiphon
