// An engine without a model: a real thread, real queues, and answers that tell whose they are.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "antiphon/engine.h"

namespace antiphon {

struct FakeEngineOptions {
  int max_sequences = 16;
  std::chrono::microseconds step{500};   // from one piece or frame of an answer to the next
  int answer_frames = 5;                 // of speech
  bool endless = false;                  // answers go on until they are cancelled
  int frames_of_turn = 12;               // heard frames after which the model takes its turn
  std::chrono::microseconds hearing{0};  // what a heard frame costs
  int max_pending_frames = 256;          // heard frames that may wait; more are refused
  int image_side = 0;                    // 0: a model without pictures
  bool manners = false;
  bool calls_functions = false;
  int max_instruction_pieces = 0;  // of one byte
  int rows_drawn = 8;              // of the 8 rows of a picture; fewer leave it unfinished
  bool forks = false;  // sequences can be forked; a fork has heard nothing, and is open like any other
};

// A typed turn "blue 7" is answered "you said blue 7", word by word, and with frames of the constant level
// 0.07 (the number that ends the text, in hundredths). In a spoken turn the third frame brings the words
// "some words" to light, and frames_of_turn of them end it; it is answered "i heard you". Pictures are
// answered with their sizes: "i saw 40x24", or " and 40x24" behind the rest; video with the first byte of the
// newest frame's pixels, as in " now 200". A typed turn with the word "draw" in it gets a picture, whose rows
// come between the frames of speech, if pictures are wanted; one that says "speak faster" makes it choose
// that and the low voice; one with the word "call" makes it call `set_timer {"minutes":5}` if there are
// functions. What a call has come to is answered "it came to ...". A frame is as long as its manner wants it,
// and of the low voice the level is negative. As the engine does, it speaks no further ahead than PaceSpeech
// asks for.
class FakeEngine final : public Engine {
 public:
  static constexpr int kImageGrid = 8;
  static constexpr int kCode = 5;  // that all its pictures are made of

  explicit FakeEngine(const FakeEngineOptions& options = {});
  ~FakeEngine() override;

  Result<std::unique_ptr<Sequence>> Open(const SequenceOptions& options, SequenceListener listener) override;
  // Every pixel of a code is noise of its own; blank is white.
  Result<Image> PaintImage(std::span<const int> codes) const override;
  const ModelDescription& model() const override { return model_; }
  EngineStatistics statistics() const override;

  // Sequences that were opened as best effort, since the start.
  int best_effort_opened() const;
  // Those given last to any sequence.
  std::string instructions() const;
  // Waits until that many sequences are open; false after 20 seconds.
  bool WaitForSequences(int count) const;
  // Waits until that many frames have been spoken since the start, by all sequences; false after 20 seconds.
  bool WaitForSpokenFrames(int count) const;

 private:
  class FakeSequence;
  struct State;

  void Run();
  Status Instruct(const std::string& text);
  void Post(std::function<void()> command);
  int Step();  // -> frames spoken

  const FakeEngineOptions options_;
  ModelDescription model_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // Guarded by mutex_.
  std::deque<std::function<void()>> commands_;
  int open_ = 0;
  int best_effort_opened_ = 0;
  std::string instructions_;
  int frames_spoken_ = 0;
  bool stopping_ = false;

  std::list<std::shared_ptr<State>> states_;  // the engine thread's
  std::thread thread_;
};

}  // namespace antiphon
