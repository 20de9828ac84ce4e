// Responses as if they had ended where the user stopped hearing them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "model/stream_grammar.h"
#include "tests/model/stream_grammar_fixture.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kPad = 0, kEnd = 3, kAssistant = 5;
constexpr int64_t kImage = 17, kImageEnd = 18, kFirstCode = 20, kFast = 30;
constexpr int64_t kEndOfAudio = 40;

ModelConfig Config() {
  ModelConfig config;
  config.symbols = {.vocab_size = 40,
                    .text_pieces = 16,
                    .pad = kPad,
                    .unk = 1,
                    .bos = 2,
                    .end = kEnd,
                    .user = 4,
                    .assistant = kAssistant};
  config.codebook_sizes = {kEndOfAudio, 30};
  config.speech_lead = 1;
  config.image = {
      .side = 16, .grid = 2, .codebook_size = 6, .begin = kImage, .end = kImageEnd, .first_code = kFirstCode};
  config.manner = {.speeds = {28, 29, kFast}, .voices = {31, 32}};
  return config;
}

// What a position reads: its symbol, and the number of the spoken frame, -1 if none.
using Read = std::pair<int64_t, int64_t>;

std::vector<Read> Reads(const std::vector<StreamPosition>& positions) {
  std::vector<Read> reads;
  for (const StreamPosition& position : positions) {
    reads.emplace_back(position.symbol, position.spoken.empty() ? -1 : position.spoken[0]);
    EXPECT_FALSE(position.has_output());
  }
  return reads;
}

class StreamGrammarCutTest : public StreamGrammarFixture {
 protected:
  StreamGrammarCutTest() : StreamGrammarFixture(Config(), {11, 12}) { BeginResponse(true); }

  // Runs an answer that writes these symbols, a position each, with frame n of first code n beside them.
  void Run(const std::vector<int64_t>& symbols, int64_t frames) {
    for (const int64_t symbol : symbols) {
      run_.push_back(Answer());
      std::vector<int64_t> codes;
      if (run_.back().speaks) codes = {frame_ < frames ? frame_ : kEndOfAudio, 0};
      ++(run_.back().speaks ? frame_ : unspoken_);
      if (grammar_.WriteAnswer(symbol, codes, &state_).done) break;
    }
  }
  CutAnswer Cut(int64_t pieces, int64_t frames) { return grammar_.Cut(run_, state_, pieces, frames); }

  std::vector<StreamPosition> run_;
  int64_t frame_ = 0;
  int64_t unspoken_ = 0;
};

TEST_F(StreamGrammarCutTest, WhatIsTheSameIsKept) {
  Run({10, 11, 12, kEnd, kPad, kPad, kPad, kPad}, 6);
  const CutAnswer cut = Cut(2, 3);
  EXPECT_EQ(cut.kept, 3) << "<assistant>, the two pieces";
  EXPECT_THAT(Reads(cut.rerun), ElementsAre(Read{kEnd, 1}, Read{kPad, 2}));
}

TEST_F(StreamGrammarCutTest, AllOfItIsAllOfIt) {
  Run({10, 11, kEnd, kPad, kPad, kPad, kPad}, 4);
  const CutAnswer cut = Cut(2, 4);
  EXPECT_EQ(cut.kept, static_cast<int64_t>(run_.size()));
  EXPECT_THAT(cut.rerun, IsEmpty());
}

TEST_F(StreamGrammarCutTest, MoreThanThereIsMeansAll) {
  Run({10, 11, kEnd, kPad, kPad}, 9);
  EXPECT_EQ(Cut(99, 99).kept, Cut(2, 5).kept);
  EXPECT_EQ(Cut(99, 99).rerun.size(), Cut(2, 5).rerun.size());
}

TEST_F(StreamGrammarCutTest, TheFrameThatWasNotReadYetCountsToo) {
  Run({10, 11, 12}, 9);  // frames 0 and 1 were spoken; only frame 0 was read
  const CutAnswer cut = Cut(3, 2);
  EXPECT_EQ(cut.kept, 3);
  EXPECT_THAT(Reads(cut.rerun), ElementsAre(Read{12, 1}, Read{kEnd, -1}));
}

TEST_F(StreamGrammarCutTest, SpeechThatOutlastsTheTextIsReadToItsEnd) {
  Run({10, kEnd, kPad, kPad, kPad, kPad}, 9);
  const CutAnswer cut = Cut(0, 3);
  EXPECT_EQ(cut.kept, 1);
  EXPECT_THAT(Reads(cut.rerun), ElementsAre(Read{kEnd, -1}, Read{kPad, 0}, Read{kPad, 1}, Read{kPad, 2}));
}

TEST_F(StreamGrammarCutTest, OfNothingHeardNothingStays) {
  Run({10, 11, kEnd}, 9);
  const CutAnswer cut = Cut(0, 0);
  EXPECT_EQ(cut.kept, 0);
  EXPECT_THAT(cut.rerun, IsEmpty());
}

TEST_F(StreamGrammarCutTest, ACompletePictureStays) {
  Run({10, 11, kImage, 20, 21, 22, 23, kImageEnd, kEnd}, 2);
  const CutAnswer cut = Cut(1, 1);
  EXPECT_EQ(cut.kept, 2);
  EXPECT_THAT(Reads(cut.rerun), ElementsAre(Read{kImage, 0}, Read{20, -1}, Read{21, -1}, Read{22, -1},
                                            Read{23, -1}, Read{kImageEnd, -1}, Read{kEnd, -1}));
}

TEST_F(StreamGrammarCutTest, AnUnfinishedPictureGoes) {
  Run({10, kImage, 20, 21}, 2);
  const CutAnswer cut = Cut(1, 1);
  EXPECT_EQ(cut.kept, 2);
  EXPECT_THAT(Reads(cut.rerun), ElementsAre(Read{kEnd, 0}));
}

TEST_F(StreamGrammarCutTest, AChosenMannerStays) {
  Run({10, 11, kFast, kEnd, kPad, kPad}, 9);
  const CutAnswer cut = Cut(1, 2);
  EXPECT_EQ(cut.kept, 2);
  EXPECT_THAT(Reads(cut.rerun), ElementsAre(Read{kFast, 0}, Read{kEnd, 1}));
}

}  // namespace
}  // namespace antiphon
