// A conversation on a hand-moved clock between a recording sequence and a recording client.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <span>
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

// One that sees and draws pictures of 3 x 3 codes.
inline ModelDescription TestModelOfPictures() {
  ModelDescription model = TestModel();
  model.image_side = 6;
  model.image_grid = 3;
  return model;
}

class ConversationFixture : public testing::Test, protected EventSink {
 protected:
  static constexpr int kRate = 24000;
  static constexpr int kPacketMs = 20;

  explicit ConversationFixture(const ModelDescription& model = TestModel()) {
    const auto paint = [this](std::span<const int> codes) { return Paint(codes); };
    auto made = Conversation::Create({.session_id = "test", .max_session_seconds = 60}, model,
                                     std::make_unique<RecordingSequence>(record_), paint, clock_, *this);
    EXPECT_TRUE(made.ok());
    conversation_ = std::move(*made);
    conversation_->Start();
  }

  void Send(ServerEvent event) override { events_.push_back(std::move(event)); }
  void DropMedia(const std::string& response_id) override { media_dropped_.push_back(response_id); }

  // A pixel that tells how many codes were painted.
  Result<Image> Paint(std::span<const int> codes) {
    if (!paint_result_.ok()) return paint_result_;
    return PaintingOf(codes.size());
  }
  static Image PaintingOf(size_t codes) {
    return {.width = 1, .height = 1, .rgb = {static_cast<uint8_t>(codes), 0, 0}};
  }

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
    const int images = static_cast<int>(record_->images.size()) - images_answered_;
    images_answered_ += images;
    const int results = static_cast<int>(record_->results.size()) - results_answered_;
    results_answered_ += results;
    Engine(turn, TurnEnded{.cause = cause,
                           .transcript = "what was heard",
                           .heard_frames = 7,
                           .text_pieces = 3,
                           .texts = texts,
                           .images = images,
                           .at = clock_.Now(),
                           .function_results = results,
                           .function_pieces = 5 * results});
  }
  void EngineSpeaks(uint64_t turn = 1, float value = 0.25f) {
    Engine(turn, ResponseAudio{std::vector<float>(1280, value), clock_.Now()});
  }
  // Has written so many codes of a picture.
  void EngineDraws(int codes, int index = 0) {
    Engine(1, ResponseImage{index, std::vector<int>(static_cast<size_t>(codes), 7), clock_.Now()});
  }
  void EngineIsDone(uint64_t turn = 1, ResponseEnd end = ResponseEnd::kCompleted) {
    Engine(turn, ResponseDone{end, {}, 4, 5, 1, 60});
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
  int images_answered_ = 0;        // of record_->images
  int results_answered_ = 0;       // of record_->results
  Status paint_result_;            // what painting fails with
  std::vector<ServerEvent> events_;
  std::vector<std::string> media_dropped_;  // response ids
  std::unique_ptr<Conversation> conversation_;
};

}  // namespace antiphon
