#include "engine/word_alignment.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace antiphon {
namespace {

// "two pieces a word", five words; the frames say these words, and each is sure of it.
WordAlignment Aligned(const std::string& said, float sure = 5.0f) {
  WordAlignment alignment;
  for (int64_t word = 0; word < 5; ++word) alignment.AddWord(100 + word, 2 * word);
  for (const char word : said) {
    std::vector<float> scores(5, 0.0f);
    if (word != '?') scores[static_cast<size_t>(word - '0')] = sure;
    alignment.AddFrame(scores);
  }
  return alignment;
}

TEST(WordAlignmentTest, AWordIsOverWhenTheNextBegins) {
  const WordAlignment alignment = Aligned("0011223344");
  const std::vector<int64_t> expected = {0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10};
  for (int64_t frames = 0; frames <= 10; ++frames) {
    EXPECT_EQ(alignment.PiecesWithin(frames, 10, true), expected[static_cast<size_t>(frames)]) << frames;
  }
}

TEST(WordAlignmentTest, TheLastFrameSoFarMayBeInTheMiddleOfAWord) {
  const WordAlignment alignment = Aligned("00112");
  EXPECT_EQ(alignment.PiecesWithin(5, 10, /*speech_over=*/false), 4);
  EXPECT_EQ(alignment.PiecesWithin(5, 10, /*speech_over=*/true), 10) << "nothing follows";
  EXPECT_EQ(alignment.PiecesWithin(50, 10, /*speech_over=*/false), 4);
}

TEST(WordAlignmentTest, OneFrameThatIsWrongDoesNotMislead) {
  const WordAlignment alignment = Aligned("0041122");
  EXPECT_EQ(alignment.PiecesWithin(3, 10, false), 2);
  EXPECT_EQ(alignment.PiecesWithin(5, 10, false), 4);
}

TEST(WordAlignmentTest, GoesForwardOnly) {
  const WordAlignment alignment = Aligned("00110022");
  EXPECT_EQ(alignment.PiecesWithin(6, 10, false), 4) << "a word that comes back is not begun again";
}

TEST(WordAlignmentTest, AShortWordMayHaveNoFrame) {
  const WordAlignment alignment = Aligned("002244");
  EXPECT_EQ(alignment.PiecesWithin(2, 10, true), 4) << "word 1 is over before word 2 begins";
  EXPECT_EQ(alignment.PiecesWithin(4, 10, true), 8);
}

TEST(WordAlignmentTest, OnlyWordsThatWereWrittenCanBeSaid) {
  WordAlignment alignment;
  alignment.AddWord(7, 0);
  alignment.AddFrame({1.0f});
  alignment.AddWord(8, 3);
  alignment.AddFrame({1.0f, 0.0f});
  alignment.AddFrame({0.0f, 1.0f});
  EXPECT_EQ(alignment.PiecesWithin(1, 5, false), 0);
  EXPECT_EQ(alignment.PiecesWithin(2, 5, false), 3);
}

TEST(WordAlignmentTest, AModelThatDoesNotTellKeepsItsText) {
  WordAlignment alignment;
  alignment.AddWord(7, 0);
  alignment.AddFrame({});
  alignment.AddFrame({});
  EXPECT_EQ(alignment.PiecesWithin(1, 5, false), 5);
}

TEST(WordAlignmentTest, NothingIsKeptOfTheAnswerBefore) {
  WordAlignment alignment = Aligned("0011");
  alignment.Reset();
  EXPECT_TRUE(alignment.words().empty());
  alignment.AddWord(7, 0);
  alignment.AddFrame({1.0f});
  EXPECT_EQ(alignment.PiecesWithin(1, 1, false), 0);
  EXPECT_EQ(alignment.PiecesWithin(1, 1, true), 1);
}

}  // namespace
}  // namespace antiphon
