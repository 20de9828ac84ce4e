// The events of one response, put together.
#pragma once

#include <map>

#include "antiphon/ask.h"
#include "antiphon/client.h"
#include "antiphon/status.h"

namespace antiphon::client {

// Each Add takes the next event of the response; DATA_LOSS for one that does not go on from those before.
// Not thread-safe.
class AnswerAssembler {
 public:
  // `answer` outlives the assembler.
  explicit AnswerAssembler(Answer* answer) : answer_(answer) {}

  void Add(const TextDelta& delta) { answer_->text += delta.text; }
  Status Add(const AudioDelta& delta);
  void Add(const ImageStarted& started);
  Status Add(const ImageDone& done);
  // INTERNAL when the server failed to answer.
  Status Add(const ResponseDone& done);

 private:
  Answer* const answer_;
  std::map<int, AnswerImage> images_;  // begun, by their index
};

}  // namespace antiphon::client
