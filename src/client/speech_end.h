// Where the speech of a recording ends, by level.
#pragma once

#include <cstddef>
#include <span>

namespace antiphon::client {

// Samples up to and including the last one of the speech; 0 when there is none.
//
// The level is measured in windows of 10 ms. Speech is what lies above a threshold: 35 dB below the loudest
// window, but at least 10 dB above the recording's noise floor (its 10th percentile) and at least -60 dBFS.
// The last window above it is the end of the speech. Quiet final consonants may end a window or two later: an
// error of some 20 ms, always towards longer latencies.
size_t FindSpeechEnd(std::span<const float> samples, int sample_rate);

}  // namespace antiphon::client
