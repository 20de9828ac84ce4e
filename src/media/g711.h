// G.711, the telephone's codec: a byte a sample, at 8 kHz.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace antiphon {

// Its two companding laws: North America and Japan speak mu, the rest of the world A.
enum class G711Law { kMu, kA };

constexpr int kG711SampleRate = 8000;  // Hz

// Appends one sample a byte to `samples`, in (-1, 1). Every byte is a sample: nothing can be wrong.
void AppendG711(std::string_view bytes, G711Law law, std::vector<float>* samples);

// A byte a sample, as PCM16 would be encoded: values outside [-1, 1] are clamped and what is not a number
// becomes silence. Values are taken by magnitude, so that the curve is symmetrical; where one lies just on a
// decision value of the standard's tables the larger output is taken.
std::string EncodeG711(std::span<const float> samples, G711Law law);

}  // namespace antiphon
