// Questions in a synthetic voice that has nothing to do with the model.
#pragma once

#include <string>

#include "media/wav.h"

namespace antiphon {

// What espeak-ng makes of `text` in one of its voices. Fails the test when it cannot run.
Audio Speak(const std::string& voice, const std::string& text);

}  // namespace antiphon
