// Which word of an answer is spoken when.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace antiphon {

// Lays the words of one spoken answer along its frames. A model that was trained for it tells at each frame
// how well each word fits; words follow one another, so the likeliest path through these scores (Viterbi,
// 1967) gives each frame its word. A word may be so short that no frame is its own. Silence goes with the
// word that follows. Not thread-safe.
class WordAlignment {
 public:
  // Forgets everything: another answer begins.
  void Reset();

  // The next word is written: `piece` is its first, and `pieces_before` stand before it in the answer.
  void AddWord(int64_t piece, int64_t pieces_before);
  // The first piece of every word so far.
  std::span<const int64_t> words() const { return words_; }
  // What was given to AddWord and AddFrame.
  const std::vector<int64_t>& pieces_before() const { return pieces_before_; }
  const std::vector<std::vector<float>>& scores() const { return scores_; }

  // The next frame is spoken. Any number a word of those written by then: what is larger fits better. Empty
  // for a model that does not tell.
  void AddFrame(std::vector<float> scores);

  // How many of the answer's `pieces` belong to words that are over by the end of the first `frames` frames;
  // `speech_over`: no frame follows those added. All of them for a model that does not tell: what it had
  // written is then taken for heard.
  int64_t PiecesWithin(int64_t frames, int64_t pieces, bool speech_over) const;

 private:
  std::vector<int64_t> Path() const;

  std::vector<int64_t> words_;
  std::vector<int64_t> pieces_before_;
  std::vector<std::vector<float>> scores_;  // of frames
  bool told_ = false;                       // some frame had scores
};

}  // namespace antiphon
