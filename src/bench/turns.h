// Simulated users who ask a server questions, each on a connection of their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "antiphon/status.h"
#include "bench/judge.h"
#include "bench/manifest.h"

namespace antiphon::bench {

struct TurnsOptions {
  std::string server;
  int turns = 100;            // altogether; the questions are gone through in order, again and again
  int sessions = 1;           // users at once
  int turns_per_session = 1;  // then the user hangs up and calls again
  bool real_time = true;      // speak at the pace of speech and hear each answer out
  bool typed = false;         // type the questions' texts instead
  bool speak = true;          // ask for spoken answers
  bool draw = false;          // let answers have pictures
  client::AudioFormat audio{client::AudioEncoding::kPcm16, 16000};
  std::chrono::milliseconds timeout{60'000};  // of an answer, and of asking a full server again and again
};

// One question asked, `before` not counted.
struct Turn {
  size_t question = 0;    // index
  Status status;          // of the turn or of the opening of its session
  client::Answer answer;  // without its audio
  double audio_seconds = 0;
  int refusals = 0;                 // how often the server was full before it took the session
  std::optional<bool> right;        // unset when no answer is expected
  std::optional<WordErrors> heard;  // unset when the text is not known or was typed
};

// The question as a client asks it, its recording read. NOT_FOUND or DATA_LOSS as ReadWav.
Result<client::Question> LoadQuestion(const Question& question, bool typed);

// Called after each turn, by any thread, one at a time.
using TurnListener = std::function<void(const Turn& turn, int done)>;

// All turns, in the order they ended. A turn that fails is a result, not an error: it is reported with its
// status and its user goes on in a new session. INVALID_ARGUMENT when `typed` asks for texts that are not
// there.
Result<std::vector<Turn>> RunTurns(const std::vector<Question>& questions, const TurnsOptions& options,
                                   const TurnListener& listener);

}  // namespace antiphon::bench
