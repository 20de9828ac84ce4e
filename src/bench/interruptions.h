// Simulated users who do not let the server finish.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/client.h"
#include "antiphon/status.h"
#include "bench/manifest.h"

namespace antiphon::bench {

enum class Intrusion {
  kNoise,  // a cough, "mhm" or a slam, which should not end the answer
  kVoice,  // a question is asked into it, which should
  kCancel  // the answer is cancelled while it is played, and the model asked what it said
};

struct InterruptionsOptions {
  std::string server;
  int noises = 100;
  int voices = 100;
  int cancels = 100;
  std::string request = "count from one to ten";  // typed; the answer should take some seconds to say
  client::Interruption interruption;              // of the sessions
  uint32_t seed = 1;                              // of moments and sounds
  std::chrono::milliseconds timeout{30'000};      // of one wait
};

// What became of one intrusion.
struct Interrupted {
  Intrusion intrusion = Intrusion::kNoise;
  std::string what;  // the noise, or the text of the question
  Status status;
  // From the sending of the packet with the first audible sample to PlaybackPaused (ResponseInterrupted, if
  // that came first); unset: the answer was not paused.
  std::optional<double> paused_ms;
  bool resumed = false;      // from the same sample
  bool interrupted = false;  // ResponseInterrupted came
  std::string text;          // of the whole answer
  std::string heard;         // as the server told
  std::string next;          // the answer to what came after it
  // That answer is the question's (of a voice), or what was heard (of a cancel). Unset: it was not asked for,
  // or what is right is not known.
  std::optional<bool> right;

  // `heard` is what `text` begins with, in whole words.
  bool HeardIsABeginning() const;
  // It went as it should.
  bool Good() const;
};

// Called after each, by the caller's thread.
using InterruptionListener = std::function<void(const Interrupted& interrupted, int done)>;

// All intrusions, one after the other, each in a session of its own; noises first. Voices are the recordings
// of `questions`, gone through in order. INVALID_ARGUMENT when voices are wanted and there are none.
Result<std::vector<Interrupted>> RunInterruptions(const std::vector<Question>& questions,
                                                  const InterruptionsOptions& options,
                                                  const InterruptionListener& listener);

}  // namespace antiphon::bench
