// Where the bytes of one recording go.
#pragma once

#include <string>

#include "antiphon/replay.h"

namespace antiphon {

// Calls return at once and do not throw: the engine's thread makes them.
class RecordingSink {
 public:
  virtual ~RecordingSink() = default;

  // Behind what was taken before. False, with nothing taken, when there is no room: call Close then.
  virtual bool Append(std::string bytes) = 0;
  // The last bytes, which are few and always taken, and why they are the last.
  virtual void Close(std::string bytes, RecordingEnd reason) = 0;
};

}  // namespace antiphon
