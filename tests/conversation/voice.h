// A sound that voice activity takes for speech, made without a synthesiser.
#pragma once

#include <vector>

namespace antiphon {

// `ms` of a vowel-like sound at `sample_rate`: harmonics of a gliding pitch under two formants, in syllables
// without a silence between them. It begins and ends abruptly.
std::vector<float> Voice(int ms, int sample_rate);

}  // namespace antiphon
