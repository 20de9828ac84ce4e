// Opus packets with numbers: what a relay of a lossy transport sends.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "media/opus.h"
#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using State = ConversationState;
using client_event::AudioAppend;

constexpr size_t kPacket = 480;  // samples, 20 ms at 24 kHz

class PacketLossTest : public ConversationFixture {
 protected:
  PacketLossTest() { Client(client_event::SessionUpdate{{.input_audio = {{2, 24000}}}}); }

  // `ms` of a voice, or of silence, in packets.
  std::vector<std::string> VoicePackets(int ms) { return Packets(Voice(ms, kRate)); }
  std::vector<std::string> SilentPackets(int ms) {
    return Packets(std::vector<float>(static_cast<size_t>(kRate * ms / 1000)));
  }
  // Each comes 20 ms after the one before and has the next number; the lost ones do not come.
  void Relay(const std::vector<std::string>& packets, const std::function<bool(size_t)>& lost = nullptr) {
    for (size_t i = 0; i < packets.size(); ++i) {
      Advance(kPacketMs);
      const uint32_t number = number_++;
      if (!lost || !lost(i)) Client(AudioAppend{packets[i], number});
      conversation_->Tick();
    }
  }
  server_event::Usage UsageOfTurn() {
    EngineAnswers(1, TurnEndCause::kCommit);
    EngineIsDone();
    return One<server_event::ResponseDone>().usage;
  }

  uint32_t number_ = UINT32_MAX - 20;  // of the next packet; the numbers wrap around within each test
  OpusPacketEncoder encoder_ = OpusPacketEncoder::Create({.expected_loss_percent = 20}).value();

 private:
  std::vector<std::string> Packets(const std::vector<float>& samples) {
    std::vector<std::string> packets;
    for (size_t at = 0; at + kPacket <= samples.size(); at += kPacket) {
      packets.push_back(encoder_.Encode(std::span(samples).subspan(at, kPacket)).value());
    }
    return packets;
  }
};

TEST_F(PacketLossTest, OffsetsAreExactUnderLoss) {
  const auto every_fifth = [](size_t i) { return i % 5 == 3; };
  Relay(SilentPackets(2000), every_fifth);
  Relay(VoicePackets(1000), every_fifth);
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStarted>().audio_offset_samples), 2.0 * kRate,
              0.05 * kRate);
  EXPECT_TRUE(All<server_event::SpeechStopped>().empty()) << "the voice goes on where packets are lost";
  const size_t frames = record_->frames.size();
  EXPECT_GE(frames, 14u);
  EXPECT_LE(frames, 17u);
  Client(client_event::Commit{});
  const PacketFates fates = UsageOfTurn().input_packets;
  EXPECT_EQ(fates.recovered + fates.concealed, 30u);
  EXPECT_GT(fates.recovered, 5u) << "the voice's";
  EXPECT_EQ(fates.late + fates.duplicates, 0u);
}

TEST_F(PacketLossTest, OrderMakesNoDifferenceToWhatIsHeard) {
  const auto packets = VoicePackets(480);
  const auto whole = std::make_shared<SequenceRecord>();
  auto other =
      Conversation::Create({}, TestModel(), std::make_unique<RecordingSequence>(whole), {}, clock_, *this);
  ASSERT_TRUE(other.ok());
  const auto tell_other = [&](auto event) { (*other)->OnClientEvent({"", clock_.Now(), std::move(event)}); };
  tell_other(client_event::SessionUpdate{{.input_audio = {{2, 24000}}}});
  for (const std::string& packet : packets) tell_other(AudioAppend{packet});
  tell_other(client_event::Commit{});
  for (const uint32_t i :
       {0, 5, 4, 3, 2, 1, 6, 8, 7, 9, 10, 10, 11, 13, 12, 14, 15, 17, 18, 16, 19, 21, 9, 20, 22, 23}) {
    Client(AudioAppend{packets[i], number_ + i});
  }
  Client(client_event::Commit{});
  ASSERT_EQ(record_->frames.size(), whole->frames.size());
  EXPECT_EQ(record_->frames.size(), 6u);
  for (size_t i = 0; i < whole->frames.size(); ++i) {
    EXPECT_EQ(record_->frames[i].samples, whole->frames[i].samples) << "frame " << i;
  }
  EXPECT_EQ(UsageOfTurn().input_packets, (PacketFates{.duplicates = 2}));
}

TEST_F(PacketLossTest, CommitLosesNothingThatHasCome) {
  Relay(VoicePackets(800));
  const size_t frames = record_->frames.size();
  const auto rest = VoicePackets(80);
  const uint32_t gap = number_++;
  for (const std::string& packet : rest) Client(AudioAppend{packet, number_++});
  EXPECT_EQ(record_->frames.size(), frames) << "they wait for the one before";
  EXPECT_TRUE(conversation_->wants_ticks());
  Client(client_event::Commit{});
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
  EXPECT_EQ(record_->frames.size(), 12u) << "900 ms: 11 frames, and the one begun";
  Client(AudioAppend{rest[0], gap});
  const PacketFates fates = UsageOfTurn().input_packets;
  EXPECT_EQ(fates.recovered + fates.concealed, 1u);
  EXPECT_EQ(fates.late, 1u) << "it came before the response was begun";
}

TEST_F(PacketLossTest, CommitLosesNothingWhenTheEngineHasNoRoom) {
  engine_is_behind_ = true;
  Relay(VoicePackets(800));
  const size_t frames = record_->frames.size();
  record_->room = 0;
  ++number_;
  for (const std::string& packet : VoicePackets(100)) Client(AudioAppend{packet, number_++});
  Client(client_event::Commit{});
  EXPECT_EQ(state(), State::kEnding);
  EXPECT_EQ(record_->frames.size(), frames);
  EXPECT_TRUE(record_->ends.empty()) << "the end waits behind the frames";
  EngineRunsFrames(1);
  EXPECT_EQ(record_->frames.size(), frames + 1);
  EXPECT_TRUE(record_->ends.empty());
  EngineRunsFrames(10);
  EXPECT_EQ(record_->frames.size(), 12u) << "920 ms: 11 frames, and the one begun";
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
  EXPECT_EQ(All<server_event::SpeechStopped>().size(), 1u);
}

TEST_F(PacketLossTest, AVoiceThatWaitsWholeMakesACommitLegal) {
  Relay(SilentPackets(400));
  const auto voice = VoicePackets(120);
  for (size_t i = 1; i < voice.size(); ++i) Client(AudioAppend{voice[i], number_ + static_cast<uint32_t>(i)});
  EXPECT_EQ(state(), State::kWaiting);
  Client(client_event::Commit{});
  EXPECT_EQ(state(), State::kEnding);
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(PacketLossTest, ClearForgetsWhatWaitsButNotItsTime) {
  Relay(VoicePackets(500));
  ++number_;
  for (const std::string& packet : VoicePackets(80)) Client(AudioAppend{packet, number_++});
  Client(client_event::Clear{});
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(record_->clears, 1);
  EXPECT_FALSE(conversation_->wants_ticks());
  events_.clear();
  const size_t frames = record_->frames.size();
  Relay(SilentPackets(1000));
  EXPECT_EQ(record_->frames.size(), frames) << "nothing of it comes after all";
  Relay(VoicePackets(400));
  // 500 ms, the lost packet, 80 ms, and the silence.
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStarted>().audio_offset_samples), 1.6 * kRate,
              0.05 * kRate);
}

TEST_F(PacketLossTest, ADifferentFormatForgetsWhatWaitsButNotItsTime) {
  Relay(SilentPackets(500));
  ++number_;
  for (const std::string& packet : VoicePackets(80)) Client(AudioAppend{packet, number_++});
  Client(client_event::SessionUpdate{{.input_audio = {{1, 16000}}}});
  for (int i = 0; i < 10; ++i) Client(AudioAppend{std::string(2 * 1600, '\0')});
  for (int i = 0; i < 5; ++i) Client(AudioAppend{EncodePcm16(Voice(100, 16000))});
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStarted>().audio_offset_samples), 1.6 * 16000,
              0.05 * 16000);
}

TEST_F(PacketLossTest, WhatWaitsIsHeardAfter100MsThoughNothingMoreComes) {
  Relay(VoicePackets(800));
  const size_t frames = record_->frames.size();
  ++number_;
  for (const std::string& packet : VoicePackets(60)) Client(AudioAppend{packet, number_++});
  Advance(90);
  conversation_->Tick();
  EXPECT_EQ(record_->frames.size(), frames);
  Advance(10);
  conversation_->Tick();
  EXPECT_EQ(record_->frames.size(), frames + 1);
}

TEST_F(PacketLossTest, TicksAreWantedForWhatWaitsWithoutAVoice) {
  Relay(SilentPackets(100));
  EXPECT_FALSE(conversation_->wants_ticks());
  ++number_;
  Client(AudioAppend{SilentPackets(20)[0], number_++});
  EXPECT_TRUE(conversation_->wants_ticks());
  Advance(100);
  conversation_->Tick();
  EXPECT_FALSE(conversation_->wants_ticks());
}

TEST_F(PacketLossTest, WhileAudioIsHeldBackWhatIsMissingMayStillCome) {
  engine_is_behind_ = true;
  Relay(VoicePackets(800));
  const auto rest = VoicePackets(140);
  const auto send = [&](uint32_t i) { Client(AudioAppend{rest[i], number_ + i}); };
  record_->room = 0;
  send(6);
  uint32_t next = 0;
  while (next < 5 && conversation_->accepts_input()) send(next++);
  ASSERT_FALSE(conversation_->accepts_input());
  Advance(1000);
  conversation_->Tick();
  EngineRunsFrames(100);
  ASSERT_TRUE(conversation_->accepts_input());
  conversation_->Tick();
  while (next < 6) send(next++);
  Client(client_event::Commit{});
  EXPECT_EQ(UsageOfTurn().input_packets, PacketFates{}) << "none was given up";
}

TEST_F(PacketLossTest, NumbersAreOnlyForOpus) {
  Client(client_event::SessionUpdate{{.input_audio = {{1, 24000}}}});
  Client(AudioAppend{std::string(960, '\0'), 0}, "pcm");
  EXPECT_EQ(One<server_event::Error>().event_id, "pcm");
  ExpectError(StatusCode::kInvalidArgument, "audio_append.packet_number", "Opus");
}

TEST_F(PacketLossTest, ANumberFarAwayIsRefusedAndTheTurnGoesOn) {
  Relay(VoicePackets(800));
  const size_t frames = record_->frames.size();
  Client(AudioAppend{VoicePackets(20)[0], number_ + 101});
  ExpectError(StatusCode::kOutOfRange, "audio_append.packet_number", "at most 100");
  EXPECT_EQ(record_->frames.size(), frames);
  Client(AudioAppend{"", number_});
  ExpectError(StatusCode::kInvalidArgument, "audio_append.audio", "empty");
  Relay(VoicePackets(80));
  EXPECT_EQ(record_->frames.size(), frames + 1);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(PacketLossTest, ASecondOfLossIsASecondOfSilence) {
  Relay(VoicePackets(600));
  Engine(1, TranscriptDelta{"hello"});
  const auto pause = VoicePackets(1000);
  number_ += static_cast<uint32_t>(pause.size());
  Advance(1000);
  Relay(VoicePackets(400));
  const auto stopped = All<server_event::SpeechStopped>();
  ASSERT_EQ(stopped.size(), 1u);
  EXPECT_NEAR(static_cast<double>(stopped[0].audio_offset_samples), 0.6 * kRate, 0.15 * kRate);
  const auto started = All<server_event::SpeechStarted>();
  ASSERT_EQ(started.size(), 2u);
  EXPECT_NEAR(static_cast<double>(started[1].audio_offset_samples), 1.6 * kRate, 0.1 * kRate);
}

TEST_F(PacketLossTest, OffsetsAreExactWhenATurnIsForgottenAmongWhatWaited) {
  Relay(VoicePackets(380));
  Relay(SilentPackets(1480));
  ASSERT_EQ(state(), State::kHearing);
  // The first of these makes the silence long enough for the voice to be noise; five are behind it.
  number_ += 2;
  Advance(60);
  for (const std::string& packet : SilentPackets(120)) Client(AudioAppend{packet, number_++});
  ASSERT_EQ(state(), State::kWaiting);
  events_.clear();
  Relay(SilentPackets(480));
  Relay(VoicePackets(400));
  EXPECT_NEAR(static_cast<double>(One<server_event::SpeechStarted>().audio_offset_samples), 2.5 * kRate,
              0.05 * kRate);
}

TEST_F(PacketLossTest, PacketsOfAResponsesTimeAreCountedForTheNextTurn) {
  const auto packets = SilentPackets(400);
  Relay(packets);
  BeginAnswer();
  EngineIsDone();
  EXPECT_EQ(One<server_event::ResponseDone>().usage.input_packets, PacketFates{});
  events_.clear();
  Client(client_event::TextAppend{"and"});
  Client(client_event::Commit{});
  EngineAnswers(2, TurnEndCause::kCommit);
  Client(AudioAppend{packets[0], number_ - 1});
  EngineIsDone(2);
  EXPECT_EQ(One<server_event::ResponseDone>().usage.input_packets, PacketFates{});
  events_.clear();
  Client(client_event::TextAppend{"so"});
  Client(client_event::Commit{});
  EngineAnswers(3, TurnEndCause::kCommit);
  EngineIsDone(3);
  EXPECT_EQ(One<server_event::ResponseDone>().usage.input_packets, (PacketFates{.duplicates = 1}));
}

TEST_F(PacketLossTest, WhatIsSaidBehindACancelIsHeardInOrder) {
  BeginAnswer();
  Client(client_event::Cancel{});
  const auto voice = VoicePackets(400);
  for (const uint32_t i : {0, 2, 1, 3, 5, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 18}) {
    Client(AudioAppend{voice[i], number_ + i});
  }
  EXPECT_TRUE(record_->frames.empty());
  EngineIsDone();
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(record_->frames.size(), 4u) << "the fifth wants 2 ms more";
}

}  // namespace
}  // namespace antiphon
