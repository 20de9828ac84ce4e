// Audio that comes faster than the engine hears it: held back, neither lost nor taken for silence.
#include <gtest/gtest.h>

#include "tests/conversation/conversation_fixture.h"

namespace antiphon {
namespace {

using State = ConversationState;

class HeldBackTest : public ConversationFixture {};

TEST_F(HeldBackTest, AudioTheEngineHasNoRoomForIsHeldBackAndThenHeardWhole) {
  const std::string audio = EncodePcm16(Voice(2000, kRate));
  const auto whole = std::make_shared<SequenceRecord>();
  {
    auto other =
        Conversation::Create({}, TestModel(), std::make_unique<RecordingSequence>(whole), {}, clock_, *this);
    ASSERT_TRUE(other.ok());
    (*other)->OnClientEvent({"", clock_.Now(), client_event::AudioAppend{audio}});
    ASSERT_GE(whole->frames.size(), 24u);
  }
  events_.clear();
  engine_is_behind_ = true;
  record_->room = 5;
  EXPECT_TRUE(conversation_->accepts_input());
  Client(client_event::AudioAppend{audio});
  EXPECT_FALSE(conversation_->accepts_input());
  EXPECT_EQ(record_->frames.size(), 5u);
  EngineRunsFrames(3);
  EXPECT_FALSE(conversation_->accepts_input());
  EXPECT_EQ(record_->frames.size(), 8u);
  EngineRunsFrames(100);
  EXPECT_TRUE(conversation_->accepts_input());
  ASSERT_EQ(record_->frames.size(), whole->frames.size());
  for (size_t i = 0; i < whole->frames.size(); ++i) {
    EXPECT_EQ(record_->frames[i].samples, whole->frames[i].samples) << "frame " << i;
    EXPECT_EQ(record_->frames[i].received, whole->frames[i].received) << "frame " << i;
  }
  EXPECT_EQ(state(), State::kHearing);
  EXPECT_EQ(record_->clears, 0);
  EXPECT_TRUE(All<server_event::Error>().empty());
}

TEST_F(HeldBackTest, AClientThatIsHeldBackIsNotTakenToBeSilent) {
  engine_is_behind_ = true;
  record_->room = 5;
  Client(client_event::AudioAppend{EncodePcm16(Voice(2000, kRate))});
  Engine(1, TranscriptDelta{"hello"});
  Advance(10'000);
  conversation_->Tick();
  EXPECT_TRUE(record_->ends.empty());
  EngineRunsFrames(100);
  ASSERT_TRUE(conversation_->accepts_input());
  Advance(1'300);
  conversation_->Tick();
  EXPECT_TRUE(record_->ends.empty()) << "only since then it could have said more";
  // As old as what was held back: it had to wait as well.
  conversation_->OnClientEvent({"", clock_.Now() - std::chrono::seconds(11),
                                client_event::AudioAppend{EncodePcm16(Voice(100, kRate))}});
  conversation_->Tick();
  EXPECT_TRUE(record_->ends.empty());
  Advance(1'600);
  conversation_->Tick();
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kSilence});
}

TEST_F(HeldBackTest, ACommitWaitsForTheFrameBegun) {
  Speak(500);
  const size_t whole = record_->frames.size();
  record_->room = 0;
  Client(client_event::Commit{});
  EXPECT_EQ(state(), State::kEnding);
  EXPECT_TRUE(record_->ends.empty());
  EngineRunsFrames(1);
  EXPECT_EQ(record_->frames.size(), whole + 1);
  EXPECT_EQ(record_->ends, std::vector{TurnEndCause::kCommit});
}

TEST_F(HeldBackTest, WhatIsHeldBackWhenTheModelEndsTheTurnIsDropped) {
  Speak(500);
  record_->room = 0;
  Client(client_event::AudioAppend{EncodePcm16(Voice(1000, kRate))});
  ASSERT_FALSE(conversation_->accepts_input());
  const size_t frames = record_->frames.size();
  EngineAnswers();
  EXPECT_TRUE(conversation_->accepts_input()) << "so that a cancel is read";
  EngineRunsFrames(100);
  EXPECT_EQ(record_->frames.size(), frames);
  EXPECT_TRUE(record_->ends.empty());
}

TEST_F(HeldBackTest, AModelThatIsBehindGetsTheTimeToFindWords) {
  engine_is_behind_ = true;
  auto audio = Voice(600, kRate);
  audio.resize(4 * kRate, 0.0f);
  for (int second = 0; second < 4; ++second) {
    Client(client_event::AudioAppend{EncodePcm16(std::span(audio).subspan(second * kRate, kRate))});
  }
  Advance(5'000);
  conversation_->Tick();
  EXPECT_EQ(state(), State::kHearing) << "not one frame was run yet";
  EngineRunsFrames();
  conversation_->Tick();
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_EQ(record_->clears, 1);
}

}  // namespace
}  // namespace antiphon
