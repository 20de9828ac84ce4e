// The events of a response, put together, and of those that follow from its calls of functions.
#pragma once

#include <cstddef>
#include <map>
#include <string>

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

  void Add(const TextDelta& delta);
  Status Add(const AudioDelta& delta);
  void Add(const ImageStarted& started);
  Status Add(const ImageDone& done);
  // INTERNAL when the server failed to answer.
  Status Add(const ResponseDone& done);
  // The answer goes on with another response.
  void BeginNext();

 private:
  Answer* const answer_;
  std::map<int, AnswerImage> images_;  // begun, by their index
  bool goes_on_ = false;               // the response is not the first
  // Of the responses before it.
  std::string earlier_text_;
  size_t earlier_samples_ = 0;
  Usage earlier_usage_;
};

}  // namespace antiphon::client
