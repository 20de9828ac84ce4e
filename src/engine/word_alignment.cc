#include "engine/word_alignment.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace antiphon {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();
constexpr size_t kLongestStep = 2;  // words from one frame to the next

}  // namespace

void WordAlignment::Reset() {
  words_.clear();
  pieces_before_.clear();
  scores_.clear();
  told_ = false;
}

void WordAlignment::AddWord(int64_t piece, int64_t pieces_before) {
  words_.push_back(piece);
  pieces_before_.push_back(pieces_before);
}

void WordAlignment::AddFrame(std::vector<float> scores) {
  told_ |= !scores.empty();
  scores_.push_back(std::move(scores));
}

// The word of each frame.
std::vector<int64_t> WordAlignment::Path() const {
  const size_t words = words_.size();
  std::vector<double> best(words, kImpossible);
  std::vector<std::vector<uint8_t>> steps;  // that led to the best way to be at a word, by frame
  for (size_t frame = 0; frame < scores_.size(); ++frame) {
    std::vector<double> next(words, kImpossible);
    std::vector<uint8_t>& step = steps.emplace_back(words, 0);
    for (size_t word = 0; word < std::min(words, scores_[frame].size()); ++word) {
      if (frame == 0) {
        if (word < kLongestStep) next[word] = scores_[frame][word];
        continue;
      }
      for (size_t from = 0; from <= std::min(word, kLongestStep); ++from) {
        const double total = best[word - from] + scores_[frame][word];
        if (total <= next[word]) continue;
        next[word] = total;
        step[word] = static_cast<uint8_t>(from);
      }
    }
    best = std::move(next);
  }
  std::vector<int64_t> path(scores_.size());
  size_t word = static_cast<size_t>(std::ranges::max_element(best) - best.begin());
  for (size_t frame = scores_.size(); frame-- > 0;) {
    path[frame] = static_cast<int64_t>(word);
    word -= steps[frame][word];
  }
  return path;
}

int64_t WordAlignment::PiecesWithin(int64_t frames, int64_t pieces, bool speech_over) const {
  if (!told_) return pieces;
  const auto spoken = static_cast<int64_t>(scores_.size());
  if (frames >= spoken && speech_over) return pieces;
  if (frames <= 0 || words_.empty()) return 0;
  const std::vector<int64_t> path = Path();
  const int64_t last = path[static_cast<size_t>(std::min(frames, spoken)) - 1];
  // Whether the word is over shows in the frame behind it.
  const int64_t over = frames < spoken ? path[static_cast<size_t>(frames)] : last;
  return pieces_before_[static_cast<size_t>(std::max(over, last))];
}

}  // namespace antiphon
