#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/logging.h"
#include "conversation/conversation.h"
#include "server/messages.h"
#include "tests/conversation/recording_sequence.h"
#include "tests/fuzz/targets.h"

namespace antiphon::fuzz {
namespace {

enum Operation : uint8_t {
  kClientEvent,   // the bytes are a ClientEvent
  kTime,          // the first byte, in steps of 10 ms, passes
  kRunFrames,     // the engine runs its frames and clears what is to be cleared
  kRefuseInput,   // the engine could not take some input
  kEndTurn,       // the model ends the turn
  kText,          // more of the answer
  kAudio,         // likewise
  kImage,         // another row
  kPaint,         // the owner has time to paint
  kCut,           // the answer was cut back
  kResponseDone,  // the end of the answer
  kCall,          // more of a call; complete if the first byte is even
  kOperations
};

constexpr int kGrid = 4;
constexpr size_t kMostRecords = 200;

ModelDescription Model() {
  ModelDescription model;
  model.name = "fuzzed";
  model.sample_rate = 16'000;
  model.frame_samples = 1280;
  model.image_side = 8;
  model.image_grid = kGrid;
  model.calls_functions = true;
  model.max_instruction_pieces = 100;
  return model;
}

// What the wire promises of the order of events.
class Client final : public EventSink {
 public:
  void Send(ServerEvent event) override {
    std::visit([this](const auto& kind) { Check(kind); }, event);
    (void)ToMessage(std::move(event));
  }
  void DropMedia(const std::string& response_id) override { Promise(response_id == response_); }

 private:
  void Check(const server_event::ResponseStarted& started) {
    Promise(response_.empty());
    response_ = started.response_id;
    begun_ = finished_ = 0;
    paused_ = false;
  }
  void Check(const server_event::TextDelta& delta) { Promise(delta.response_id == response_); }
  void Check(const server_event::AudioDelta& delta) {
    Promise(delta.response_id == response_ && !delta.audio.empty());
  }
  void Check(const server_event::ImageStarted& started) {
    Promise(started.response_id == response_ && started.image_index == begun_++);
  }
  void Check(const server_event::ImageDelta& delta) {
    Promise(delta.response_id == response_ && delta.image_index < begun_ && !delta.preview.empty());
    Promise(delta.rows >= 1 && delta.rows < kGrid);
  }
  void Check(const server_event::ImageDone& done) {
    Promise(done.response_id == response_ && done.image_index == finished_++ && finished_ <= begun_);
  }
  // Of the response under way; a call begins before it is complete.
  void Check(const server_event::FunctionCallStarted& started) {
    Promise(started.response_id == response_ && !started.call_id.empty() && started.call_id != call_);
    call_ = started.call_id;
    arguments_.clear();
  }
  void Check(const server_event::FunctionCallArgumentsDelta& delta) {
    Promise(delta.response_id == response_ && delta.call_id == call_ && !delta.arguments.empty());
    arguments_ += delta.arguments;
  }
  void Check(const server_event::FunctionCallDone& done) {
    Promise(done.response_id == response_ && done.call_id == call_ && done.arguments == arguments_);
    Promise(done.fault.size() < 1024);
  }
  void Check(const server_event::ResponseDone& done) {
    Promise(done.response_id == response_ && !response_.empty());
    response_.clear();
  }
  void Check(const server_event::Error& error) {
    Promise(!error.refusal.status.ok() && error.refusal.status.message().size() < 1024);
    Promise(error.event_id.size() <= 64);
  }
  // Of the response under way or the last one.
  void Check(const server_event::PlaybackPaused&) {
    Promise(!paused_);
    paused_ = true;
  }
  void Check(const server_event::PlaybackResumed&) {
    Promise(paused_);
    paused_ = false;
  }
  void Check(const server_event::ResponseInterrupted&) { paused_ = false; }
  void Check(const server_event::SessionExported&) {}
  void Check(const server_event::SessionImported&) {}
  void Check(const server_event::SessionCreated&) {}
  void Check(const server_event::SessionUpdated&) {}
  void Check(const server_event::SpeechStarted&) {}
  void Check(const server_event::SpeechStopped&) {}
  void Check(const server_event::TranscriptDelta&) {}
  void Check(const server_event::TurnEnded&) {}

  std::string response_;  // under way
  int begun_ = 0;         // pictures
  int finished_ = 0;
  bool paused_ = false;
  std::string call_;  // the newest
  std::string arguments_;
};

// A conversation with everything around it.
class Session {
 public:
  Session() {
    auto made = Conversation::Create(
        {}, Model(), std::make_unique<RecordingSequence>(record_),
        [](std::span<const int>) {
          return Image{1, 1, {0, 0, 0}};
        },
        clock_, client_);
    Promise(made.ok());
    conversation_ = std::move(*made);
    conversation_->Start();
  }

  void Do(uint8_t operation, std::string_view bytes) {
    const int first = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]);
    switch (operation % kOperations) {
      case kClientEvent:
        return Receive(bytes);
      case kTime:
        clock_.Advance(std::chrono::milliseconds(10 * first));
        if (conversation_->wants_ticks()) conversation_->Tick();
        return;
      case kRunFrames:
        return RunFrames();
      case kRefuseInput:
        return Tell(InputRefused{ResourceExhausted("the context is full")});
      case kEndTurn:
        return EndTurn(static_cast<TurnEndCause>(first % 4));
      case kText:
        return Answer(ResponseText{std::string(bytes), clock_.Now()});
      case kAudio:
        return Answer(
            ResponseAudio{std::vector<float>(1280, 0.01f * static_cast<float>(first)), clock_.Now()});
      case kImage:
        return Draw();
      case kPaint:
        if (conversation_->wants_to_paint()) conversation_->Paint();
        return;
      case kCut:
        return Cut();
      case kCall:
        // What the decoder of pieces makes is UTF-8.
        return Answer(ResponseCall{std::string(static_cast<size_t>(first % 9), "f {\"a\":}"[first % 9]),
                                   first % 2 == 0, clock_.Now()});
      case kResponseDone:
        return Done(static_cast<ResponseEnd>(first % 4));
    }
  }

 private:
  void Receive(std::string_view bytes) {
    v1::ClientEvent message;
    if (!conversation_->accepts_input()) return;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    conversation_->OnClientEvent(FromMessage(std::move(message), clock_.Now()));
  }

  void Tell(SequenceEvent event) { conversation_->OnEngineEvent(turn_, std::move(event)); }

  void RunFrames() {
    const size_t frames = record_->frames.size() - std::exchange(frames_run_, record_->frames.size());
    if (frames > 0) Tell(RoomForFrames{static_cast<int>(frames)});
    if (frames > 0 && !answering_) Tell(TranscriptDelta{"word"});
    const int clears = record_->clears - std::exchange(clears_done_, record_->clears);
    if (clears > 0) Tell(TurnCleared{clears});
  }

  void EndTurn(TurnEndCause cause) {
    if (std::exchange(answering_, true)) return;
    RunFrames();
    const auto texts = static_cast<int>(record_->texts.size() - std::exchange(texts_, record_->texts.size()));
    const auto images =
        static_cast<int>(record_->images.size() - std::exchange(images_, record_->images.size()));
    const auto results =
        static_cast<int>(record_->results.size() - std::exchange(results_, record_->results.size()));
    TurnEnded ended{cause, "words", 1, 1, texts, images, clock_.Now()};
    ended.function_results = results;
    Tell(std::move(ended));
  }

  void Answer(SequenceEvent event) {
    if (answering_) Tell(std::move(event));
  }

  // What the engine says to it, late or not.
  void Cut() {
    if (cuts_told_ == record_->cuts.size()) return;
    conversation_->OnEngineEvent(answering_ ? turn_ : turn_ - 1,
                                 ResponseCut{record_->cuts[cuts_told_++], "heard"});
  }

  void Draw() {
    if (!answering_) return;
    const int rows = row_ % (kGrid + 1);
    const int index = row_ / (kGrid + 1);
    ++row_;
    Answer(ResponseImage{index, std::vector<int>(static_cast<size_t>(rows * kGrid), 1), clock_.Now()});
  }

  void Done(ResponseEnd end) {
    if (!std::exchange(answering_, false)) return;
    Tell(ResponseDone{end, end == ResponseEnd::kFailed ? Internal("a fault") : OkStatus(), 1, 1, 0, 9});
    ++turn_;
    row_ = 0;
  }

  ManualClock clock_{TimePoint{} + std::chrono::hours(1)};
  Client client_;
  std::shared_ptr<SequenceRecord> record_ = std::make_shared<SequenceRecord>();
  uint64_t turn_ = 1;
  bool answering_ = false;
  int row_ = 0;  // of the response's pictures, their beginnings included
  size_t frames_run_ = 0;
  size_t texts_ = 0;
  size_t images_ = 0;
  size_t results_ = 0;
  size_t cuts_told_ = 0;
  int clears_done_ = 0;
  std::unique_ptr<Conversation> conversation_;
};

}  // namespace

void HandleClientEvents(std::string_view bytes) {
  SetLogLevel(LogLevel::kOff);
  Session session;
  for (size_t record = 0; record < kMostRecords && bytes.size() >= 3; ++record) {
    const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(bytes[i])); };
    const size_t length = std::min(byte(1) | byte(2) << 8, bytes.size() - 3);
    session.Do(static_cast<uint8_t>(byte(0)), bytes.substr(3, length));
    bytes.remove_prefix(3 + length);
  }
}

}  // namespace antiphon::fuzz
