// A conversation on a hand-moved clock between a recording sequence and a recording client.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "conversation/conversation.h"
#include "media/pcm.h"
#include "tests/conversation/recording_sequence.h"
#include "tests/conversation/voice.h"

namespace antiphon {

inline ModelDescription TestModel() {
  ModelDescription model;
  model.name = "fake";
  model.version = "v1";
  model.sample_rate = 16000;
  model.frame_samples = 1280;
  model.codebook_sizes = {8, 8};
  model.vocabulary_size = 64;
  model.max_positions = 1024;
  return model;
}

class ConversationFixture : public testing::Test, protected EventSink {
 protected:
  static constexpr int kRate = 24000;
  static constexpr int kPacketMs = 20;

  ConversationFixture() {
    auto made = Conversation::Create({.session_id = "test", .max_session_seconds = 60}, TestModel(),
                                     std::make_unique<RecordingSequence>(record_), clock_, *this);
    EXPECT_TRUE(made.ok());
    conversation_ = std::move(*made);
    conversation_->Start();
  }

  void Send(ServerEvent event) override { events_.push_back(std::move(event)); }
  void DropAudio(const std::string& response_id) override { audio_dropped_.push_back(response_id); }

  template <typename Kind>
  void Client(Kind kind, std::string id = "") {
    conversation_->OnClientEvent({std::move(id), clock_.Now(), std::move(kind)});
    if (!engine_is_behind_) EngineRunsFrames();
  }
  void Engine(uint64_t turn, SequenceEvent event) { conversation_->OnEngineEvent(turn, std::move(event)); }
  void Advance(int ms) { clock_.Advance(std::chrono::milliseconds(ms)); }

  // Speaks into the microphone in real time, in packets of 20 ms that arrive when their last sample was said.
  void Microphone(const std::vector<float>& samples) {
    const size_t packet = static_cast<size_t>(kRate * kPacketMs / 1000);
    for (size_t begin = 0; begin + packet <= samples.size(); begin += packet) {
      Advance(kPacketMs);
      Client(client_event::AudioAppend{EncodePcm16(std::span(samples).subspan(begin, packet))});
      conversation_->Tick();
    }
  }
  void Speak(int ms) { Microphone(Voice(ms, kRate)); }
  void Pause(int ms) { Microphone(std::vector<float>(static_cast<size_t>(kRate * ms / 1000))); }

  // The engine has run all frames it was given and has room for `more`.
  void EngineRunsFrames(size_t more = 0) {
    const size_t frames = record_->frames.size() - frames_run_;
    frames_run_ += frames;
    record_->room += more;
    if (frames + more > 0) Engine(0, RoomForFrames{static_cast<int>(frames)});
  }
  // The engine ends turn `turn` and begins to answer.
  void EngineAnswers(uint64_t turn = 1, TurnEndCause cause = TurnEndCause::kModel) {
    const int texts = static_cast<int>(record_->texts.size()) - texts_answered_;
    texts_answered_ += texts;
    Engine(turn, TurnEnded{cause, "what was heard", 7, 3, texts, clock_.Now()});
  }
  void EngineSpeaks(uint64_t turn = 1, float value = 0.25f) {
    Engine(turn, ResponseAudio{std::vector<float>(1280, value), clock_.Now()});
  }
  void EngineIsDone(uint64_t turn = 1, ResponseEnd end = ResponseEnd::kCompleted) {
    Engine(turn, ResponseDone{end, {}, 4, 5, 60});
  }
  // A typed turn up to the first word of its answer.
  void BeginAnswer() {
    Client(client_event::TextAppend{"hello"});
    Client(client_event::Commit{});
    EngineAnswers(1, TurnEndCause::kCommit);
  }

  template <typename Kind>
  std::vector<Kind> All() const {
    std::vector<Kind> found;
    for (const ServerEvent& event : events_) {
      if (const auto* kind = std::get_if<Kind>(&event)) found.push_back(*kind);
    }
    return found;
  }
  // The only event of a kind.
  template <typename Kind>
  Kind One() const {
    const auto all = All<Kind>();
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? Kind{} : all.front();
  }
  void ExpectError(StatusCode code, const std::string& field, const std::string& message_part) {
    const auto error = One<server_event::Error>();
    EXPECT_EQ(error.refusal.status.code(), code);
    EXPECT_EQ(error.refusal.field, field);
    EXPECT_NE(error.refusal.status.message().find(message_part), std::string::npos)
        << error.refusal.status.message();
    events_.clear();
  }
  ConversationState state() const { return conversation_->state(); }
  uint64_t Micros(TimePoint time) const {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(time - start_).count());
  }

  ManualClock clock_{TimePoint{} + std::chrono::hours(5)};
  const TimePoint start_ = clock_.Now();
  std::shared_ptr<SequenceRecord> record_ = std::make_shared<SequenceRecord>();
  bool engine_is_behind_ = false;  // it runs frames only when EngineRunsFrames is called
  size_t frames_run_ = 0;          // of record_->frames
  int texts_answered_ = 0;         // of record_->texts
  std::vector<ServerEvent> events_;
  std::vector<std::string> audio_dropped_;  // response ids
  std::unique_ptr<Conversation> conversation_;
};

}  // namespace antiphon
