// An independent listener: pocketsphinx, which knows nothing of the model it judges.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace antiphon {

// What pocketsphinx hears in mono `samples`, when all it can hear are these sentences (lower-case English
// words): the one that fits best, or "" when it can make nothing of the sound. Fails the test when
// pocketsphinx cannot run.
std::string Recognise(std::span<const float> samples, int sample_rate,
                      const std::vector<std::string>& sentences);

}  // namespace antiphon
