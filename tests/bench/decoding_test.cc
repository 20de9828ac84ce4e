#include "bench/decoding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "bench/random_model.h"

namespace antiphon::bench {
namespace {

constexpr ModelShape kSmall = {2, 32, 4, 2, 8, 48, 100};

class DecodingTest : public testing::Test {
 protected:
  const RandomModel loaded_ = LoadRandomModel(kSmall, RandomWeights::kBFloat16, 1).value();
  const LanguageModel& model_ = *loaded_.model;
};

TEST_F(DecodingTest, EachStepWritesASymbolForEachSequence) {
  Decoding decoding(model_, 3, 20, 4);
  std::vector<std::vector<int64_t>> first, second;
  for (auto* written : {&first, &second}) {
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(decoding.position(), 20 + i);
      decoding.Step();
      written->push_back(decoding.symbols());
      ASSERT_EQ(decoding.symbols().size(), 3u);
      for (const int64_t symbol : decoding.symbols()) EXPECT_TRUE(symbol >= 0 && symbol < 100);
    }
    decoding.Rewind();
  }
  EXPECT_NE(first[0], first[1]);  // it depends on what was read
  EXPECT_EQ(second, first);
}

// Two layers of keys and of values, two heads of eight floats, at 21 positions with the one that is run.
TEST_F(DecodingTest, PagesAreReadUpToTheStepsOwnPosition) {
  Decoding decoding(model_, 3, 20, 4);
  EXPECT_EQ(decoding.PageBytes(), 3 * 21 * 2 * 2 * 2 * 8 * 4);
  decoding.Step();
  EXPECT_EQ(decoding.PageBytes(), 3 * 22 * 2 * 2 * 2 * 8 * 4);
  EXPECT_EQ(Decoding::PoolBytes(model_, 3, 20, 4), 3 * 32 * 2 * 2 * 2 * 8 * 4);  // in whole pages
}

TEST_F(DecodingTest, AFullContextCanBeReached) {
  Decoding decoding(model_, 1, model_.config().max_positions - 2, 2);
  decoding.Step();
  decoding.Step();
  EXPECT_ANY_THROW(decoding.Step());
}

TEST_F(DecodingTest, APrefillIsTheSameInChunks) {
  Prefilling whole(model_, 40, 40);
  Prefilling chunks(model_, 40, 7);
  const int64_t symbol = whole.Run();
  EXPECT_EQ(whole.Run(), symbol);
  EXPECT_EQ(chunks.Run(), symbol);
}

}  // namespace
}  // namespace antiphon::bench
