// What the engine's tests share: an engine loop on fakes that is stepped by hand, and owners that write down
// all they are told.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "antiphon/engine.h"
#include "common/clock.h"
#include "engine/engine_loop.h"
#include "engine/sequence_port.h"
#include "model/model_config.h"
#include "model/text_tokenizer.h"
#include "tests/engine/fake_model.h"

namespace antiphon {

// Of tests/golden/tiny_model.
ModelConfig TinyConfig();
TextTokenizer TinyTokenizer(const ModelConfig& config);

// One event without its times, as in "2 ended commit 'hello' 0+3"; see engine_bench.cc.
std::string Describe(uint64_t turn, const SequenceEvent& event);

// The owner of one sequence.
class Owner {
 public:
  Owner(EngineLoop& loop, const FakeCodec& codec, const TextTokenizer& tokenizer, const Clock& clock,
        const SequenceOptions& options, PortLimits limits = {});
  // Of a fork of `original`'s sequence, with a listener of its own.
  Owner(Owner& original, const ForkOptions& options);
  ~Owner() { Close(); }

  // Frames received now, one for each code (see FakeCodec::Sound).
  void Hear(const std::vector<int64_t>& codes);
  // Frames received so much earlier than now.
  void HearLate(const std::vector<int64_t>& codes, std::chrono::milliseconds late);
  Status TryHear(int64_t code);
  void Type(const std::string& text);
  // A picture of these codes.
  void Show(const std::vector<int>& codes);
  // Signatures; empty: of no functions.
  void Declare(const std::string& signatures);
  // Empty: none.
  void Instruct(const std::string& text);
  void GiveResult(const std::string& text);
  // A frame of the video, of these codes.
  void ShowVideo(const std::vector<int>& codes);
  void EndTurn() { Post(TurnEndRequest{TurnEndCause::kCommit, clock_.Now()}); }
  void ClearTurn() { Post(ClearRequest{}); }
  void Cancel() { Post(CancelRequest{}); }
  void CutResponse(int frames) { Post(CutRequest{frames}); }
  void PaceSpeech(int frames, TimePoint playback_began) { Post(PaceRequest{frames, playback_began}); }
  void ExpectTurnEnd() { Post(ExpectTurnEndRequest{}); }
  void Export() { Post(ExportRequest{}); }
  void Restore(SequenceSnapshot snapshot) { Post(RestoreRequest{std::move(snapshot)}); }
  // The bytes told last.
  const std::string& exported() const { return exported_; }
  void Configure(const SequenceOptions& options) { Post(ConfigureRequest{options}); }
  void Close();

  // All that was told, or what came after the last call of Take.
  const std::vector<std::string>& told() const { return told_; }
  std::vector<std::string> Take();
  // Events whose description contains `part`.
  int Count(const std::string& part) const;
  bool Heard(const std::string& part) const { return Count(part) > 0; }
  // Frames it was told to have room for again. That is not in told(): it depends on how work falls into
  // steps.
  int room() const { return room_; }

 private:
  void Post(SequenceRequest request);
  // Writes down what it is told.
  SequenceListener Listener();

  EngineLoop& loop_;
  const FakeCodec& codec_;
  const TextTokenizer& tokenizer_;
  const Clock& clock_;
  std::vector<std::string> told_;
  size_t taken_ = 0;
  int room_ = 0;
  std::string exported_;
  std::shared_ptr<SequencePort> port_;
};

// A loop on fakes whose clock stands still unless a test moves it.
struct EngineBench {
  explicit EngineBench(const EngineOptions& options = SmallOptions(), int64_t max_positions = 512);
  // Of a model that is not the tiny one; its text pieces are.
  EngineBench(const ModelConfig& model_config, const EngineOptions& options);

  static EngineOptions SmallOptions();
  std::unique_ptr<Owner> Open(const SequenceOptions& options = {}, PortLimits limits = {});
  // Until nothing is left to do. Returns the steps it took; fails the test when it does not end.
  int RunAll();

  ModelConfig config;
  ManualClock clock{TimePoint(std::chrono::seconds(1000))};
  TextTokenizer tokenizer;
  FakeModel model;
  FakeCodec codec;
  EngineLoop loop;
};

}  // namespace antiphon
