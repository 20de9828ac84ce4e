#include "kernels/paged_attention.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <string>

#include "kernels/kv_rows.h"
#include "kernels/thread_team.h"
#include "tests/kernels/forms.h"

namespace antiphon {
namespace {

constexpr KvFormat kFormats[] = {KvFormat::kFloat32, KvFormat::kBfloat16, KvFormat::kInt8};

struct Shape {
  int64_t kv_heads = 2;
  int64_t group = 2;
  int64_t width = 16;
  int64_t page_positions = 5;
  KvFormat format = KvFormat::kFloat32;

  std::string ToString() const {
    return fmt::format("{} heads of {} in groups of {}, pages of {}, format {}", kv_heads * group, width,
                       group, page_positions, static_cast<int>(format));
  }
};

// Pages of NaN, in any form, so that reading a place nobody wrote shows.
at::Tensor EmptyPages(const Shape& shape, int64_t pages) {
  at::Tensor made =
      MakeKvPages(shape.format, pages, shape.page_positions, shape.kv_heads, shape.width, at::kCPU);
  if (shape.format == KvFormat::kInt8) return made.fill_(-1);  // a float of such bytes is NaN
  return made.fill_(std::numeric_limits<float>::quiet_NaN());
}

// Queries, keys and values of `positions` positions of one sequence.
struct Rows {
  Rows(const Shape& shape, int64_t positions, uint64_t seed)
      : q(Noise({positions, shape.kv_heads * shape.group, shape.width}, seed)),
        k(Noise({positions, shape.kv_heads, shape.width}, seed + 100)),
        v(Noise({positions, shape.kv_heads, shape.width}, seed + 200)) {}
  at::Tensor q, k, v;
};

// A sequence in pages of its own, in an order that is not that of its positions.
class Sequence {
 public:
  Sequence(const Shape& shape, int64_t positions, uint64_t seed)
      : rows_(shape, positions, seed), pages_((positions + shape.page_positions - 1) / shape.page_positions) {
    std::iota(pages_.begin(), pages_.end(), 1);
    std::shuffle(pages_.begin(), pages_.end(), std::mt19937_64(seed));
    keys_ = EmptyPages(shape, static_cast<int64_t>(pages_.size()) + 2);
    values_ = EmptyPages(shape, static_cast<int64_t>(pages_.size()) + 2);
  }

  // Runs positions [first, first + count) as one span of its own.
  at::Tensor Run(int64_t first, int64_t count) {
    Write(first, count);
    return Attend(first, count);
  }
  void Write(int64_t first, int64_t count) {
    WritePages(rows_.k.narrow(0, first, count), Spans(first, count), &keys_);
    WritePages(rows_.v.narrow(0, first, count), Spans(first, count), &values_);
  }
  at::Tensor Attend(int64_t first, int64_t count) const {
    return PagedAttention(rows_.q.narrow(0, first, count), keys_, values_, Spans(first, count));
  }

  const Rows& rows() const { return rows_; }
  const std::vector<int32_t>& pages() const { return pages_; }
  at::Tensor& keys() { return keys_; }
  at::Tensor& values() { return values_; }

 private:
  std::vector<SequenceSpan> Spans(int64_t first, int64_t count) const {
    return {{.first_row = 0, .rows = count, .context = first, .pages = pages_}};
  }

  Rows rows_;
  std::vector<int32_t> pages_;
  at::Tensor keys_, values_;
};

// Calls check(loops) with each set of loops in force.
template <typename Check>
void WithAllLoops(const Check& check) {
  for (const AttentionLoops* loops : RunnableAttentionLoops()) {
    const auto form = KernelFormGuard::Loops(*loops);
    check(loops->name);
  }
}

template <typename Draw>
Shape RandomShape(KvFormat format, Draw draw) {
  return {draw(1, 4), draw(1, 8), draw(16, 128), draw(1, 64), format};
}

// Rows of a page are the same to the bit in every form.
TEST(PagedAttention, WritesTheSamePagesAsAten) {
  for (const KvFormat format : kFormats) {
    for (const int64_t width : {2, 12, 31, 64, 70, 128}) {
      const Shape shape{.width = width, .format = format};
      Sequence expected(shape, 23, 1);
      expected.keys().zero_();
      expected.rows().k.mul_(at::exp(Noise({23, 1, 1}, 7) * 8));  // small and large ones
      expected.rows().k[3].zero_();
      {
        const auto form = KernelFormGuard::Aten();
        expected.Write(0, 23);
      }
      WithAllLoops([&](const char* name) {
        Sequence actual(shape, 23, 1);
        actual.keys().zero_();
        actual.rows().k.copy_(expected.rows().k);
        actual.Write(0, 23);
        EXPECT_TRUE(actual.keys().equal(expected.keys())) << name << ", " << shape.ToString();
      });
    }
  }
}

TEST(PagedAttention, EveryFormAgreesWithAtenOverRandomShapes) {
  std::mt19937_64 random(5);
  const auto draw = [&](int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random);
  };
  for (int i = 0; i < 36; ++i) {
    Shape shape = RandomShape(kFormats[i % 3], draw);
    if (i % 4 == 0) shape.width = (shape.width + 15) / 16 * 16;  // what is read in place
    const int64_t length = i % 6 == 5 ? draw(500, 1400) : draw(1, 200);
    const int64_t rows = draw(1, std::min<int64_t>(length, 70));
    Sequence sequence(shape, length, static_cast<uint64_t>(i));
    sequence.Write(0, length);
    const at::Tensor expected = [&] {
      const auto form = KernelFormGuard::Aten();
      return sequence.Attend(length - rows, rows);
    }();
    ASSERT_FALSE(expected.isnan().any().item<bool>());
    WithAllLoops([&](const char* name) {
      EXPECT_LT(LargestDifference(sequence.Attend(length - rows, rows), expected), 2e-5)
          << name << ", " << rows << " rows of " << length << ", " << shape.ToString();
    });
  }
}

// What rounding costs: the error of a head's result against that of float32, for numbers of unit variance.
TEST(PagedAttention, RoundedPagesComeNear) {
  const auto result = [](KvFormat format) {
    Sequence sequence({.width = 64, .page_positions = 16, .format = format}, 300, 3);
    return sequence.Run(0, 300);
  };
  const at::Tensor exact = result(KvFormat::kFloat32);
  const auto error = [&](KvFormat format) {
    return ((result(format) - exact).norm() / exact.norm()).item<double>();
  };
  EXPECT_LT(error(KvFormat::kBfloat16), 0.004);
  EXPECT_LT(error(KvFormat::kInt8), 0.012);
  EXPECT_GT(error(KvFormat::kInt8), 0.0);
}

// Prefill in one chunk, in odd chunks and position by position: the same to the bit, across the borders of
// tiles and segments too.
TEST(PagedAttention, ChunksDoNotMatter) {
  for (const KvFormat format : kFormats) {
    for (const int64_t group : {1, 3, 7}) {
      const Shape shape{.group = group, .width = group == 3 ? 20 : 32, .format = format};
      WithAllLoops([&](const char* name) {
        const int64_t first = kAttentionSegment - 45;
        const int64_t length = kAttentionSegment + 30;
        Sequence sequence(shape, length, 5);
        sequence.Run(0, first);
        const at::Tensor whole = sequence.Run(first, length - first);
        for (const int64_t chunk : {1, 3, 16, 40}) {
          for (int64_t at = first; at < length; at += chunk) {
            const int64_t count = std::min<int64_t>(chunk, length - at);
            EXPECT_TRUE(sequence.Attend(at, count).equal(whole.narrow(0, at - first, count)))
                << name << ", chunks of " << chunk << ", " << shape.ToString();
          }
        }
      });
    }
  }
}

TEST(PagedAttention, PageSizesDoNotMatter) {
  for (const KvFormat format : kFormats) {
    WithAllLoops([&](const char* name) {
      at::Tensor first;
      for (const int64_t page_positions : {1, 7, 16, 64, 1000}) {
        Sequence sequence({.group = 3, .width = 48, .page_positions = page_positions, .format = format}, 150,
                          9);
        const at::Tensor result = sequence.Run(0, 150);
        if (!first.defined()) first = result;
        EXPECT_TRUE(result.equal(first)) << name << ", pages of " << page_positions;
      }
    });
  }
}

// One long sequence, a chunk of it, and many at once: enough work to be shared, in segments where one row has
// it all.
TEST(PagedAttention, ThreadsDoNotMatter) {
  for (const KvFormat format : kFormats) {
    const Shape shape{.kv_heads = 2, .group = 4, .width = 64, .page_positions = 16, .format = format};
    constexpr int64_t kLength = 7 * kAttentionSegment + 17;
    Sequence sequence(shape, kLength, 11);
    sequence.Write(0, kLength);
    // Three of different lengths in one batch, and one that has nothing to run.
    constexpr int64_t kLong = 300, kShort = 40, kMiddle = 150;
    const Rows rows_of_all(shape, kLong + kShort + kMiddle, 12);
    at::Tensor keys = EmptyPages(shape, 32), values = EmptyPages(shape, 32);
    const auto pages = [](int32_t first, int32_t count) {
      std::vector<int32_t> table(static_cast<size_t>(count));
      std::iota(table.begin(), table.end(), first);
      return table;
    };
    const std::vector<SequenceSpan> batch = {
        {.first_row = 0, .rows = kLong, .context = 0, .pages = pages(0, 19)},
        {.first_row = kLong, .rows = kShort, .context = 0, .pages = pages(19, 3)},
        {.first_row = 0, .rows = 0, .context = 4, .pages = {0}},
        {.first_row = kLong + kShort, .rows = kMiddle, .context = 0, .pages = pages(22, 10)}};
    WritePages(rows_of_all.k, batch, &keys);
    WritePages(rows_of_all.v, batch, &values);
    const at::Tensor together = PagedAttention(rows_of_all.q, keys, values, batch);
    for (const int threads : {2, 3, 7}) {
      ThreadTeam team(threads);
      const ThreadTeamScope scope(&team);
      EXPECT_TRUE(PagedAttention(rows_of_all.q, keys, values, batch).equal(together))
          << threads << " threads";
    }
    for (const int64_t rows : {1, 5, 16, 33, 100}) {
      const at::Tensor alone = sequence.Attend(kLength - rows, rows);
      for (const int threads : {1, 2, 3, 7}) {
        ThreadTeam team(threads);
        const ThreadTeamScope scope(&team);
        EXPECT_TRUE(sequence.Attend(kLength - rows, rows).equal(alone))
            << threads << " threads, " << rows << " rows, " << shape.ToString();
      }
    }
  }
}

TEST(PagedAttention, SequencesOfABatchDoNotMix) {
  for (const KvFormat format : kFormats) {
    WithAllLoops([&](const char* name) {
      const Shape shape{.format = format};
      Sequence a(shape, 9, 10), b(shape, 14, 20);
      const at::Tensor a_alone = a.Run(0, 9);
      const at::Tensor b_alone = b.Run(0, 14);

      at::Tensor keys = EmptyPages(shape, 12), values = EmptyPages(shape, 12);
      const std::vector<SequenceSpan> before = {{.first_row = 0, .rows = 6, .context = 0, .pages = {5, 4}}};
      WritePages(a.rows().k.narrow(0, 0, 6), before, &keys);
      WritePages(a.rows().v.narrow(0, 0, 6), before, &values);
      // The rest of a goes with the whole of b, and with one that has nothing to run.
      const std::vector<SequenceSpan> spans = {{.first_row = 0, .rows = 14, .context = 0, .pages = {9, 7, 6}},
                                               {.first_row = 3, .rows = 0, .context = 4, .pages = {8}},
                                               {.first_row = 14, .rows = 3, .context = 6, .pages = {5, 4}}};
      const auto join = [](const at::Tensor& of_b, const at::Tensor& of_a) {
        return at::cat({of_b, of_a.narrow(0, 6, 3)});
      };
      WritePages(join(b.rows().k, a.rows().k), spans, &keys);
      WritePages(join(b.rows().v, a.rows().v), spans, &values);
      const at::Tensor together = PagedAttention(join(b.rows().q, a.rows().q), keys, values, spans);
      EXPECT_TRUE(together.narrow(0, 0, 14).equal(b_alone)) << name;
      EXPECT_TRUE(together.narrow(0, 14, 3).equal(a_alone.narrow(0, 6, 3))) << name;
    });
  }
}

// A row that is not finite spoils those that see it and no other, in every form of page.
TEST(PagedAttention, WhatIsNotFiniteStaysBehindItsPosition) {
  for (const KvFormat format : kFormats) {
    for (const float wrong :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      WithAllLoops([&](const char* name) {
        Sequence sequence({.format = format}, 40, 2);
        const at::Tensor clean = sequence.Run(0, 40);
        sequence.rows().v[25][0][3] = wrong;
        const at::Tensor spoilt = sequence.Run(0, 40);
        EXPECT_TRUE(spoilt.narrow(0, 0, 25).equal(clean.narrow(0, 0, 25))) << name;
        EXPECT_FALSE(spoilt.narrow(0, 25, 15).select(1, 3).isfinite().any().item<bool>()) << name;
        EXPECT_TRUE(spoilt.narrow(1, 32, 32).equal(clean.narrow(1, 32, 32))) << name << ": another kv head";
      });
    }
  }
}

TEST(PagedAttention, KeepsTheBytesItSays) {
  for (const int64_t width : {16, 64, 70}) {
    EXPECT_EQ(KvRowBytes(KvFormat::kFloat32, width), 4 * width);
    EXPECT_EQ(KvRowBytes(KvFormat::kBfloat16, width), 2 * width);
    EXPECT_EQ(KvRowBytes(KvFormat::kInt8, width), width + 4);
    for (const KvFormat format : kFormats) {
      const at::Tensor pages = MakeKvPages(format, 3, 16, 2, width, at::kCPU);
      EXPECT_EQ(static_cast<int64_t>(pages.nbytes()), 3 * 16 * 2 * KvRowBytes(format, width));
      EXPECT_EQ(KvFormatOf(pages), format);
      EXPECT_EQ(HeadWidthOf(pages), width);
    }
  }
}

TEST(PagedAttention, RefusesPageTablesThatDoNotFit) {
  for (const KvFormat format : kFormats) {
    const Shape shape{.width = 8, .format = format};
    const Rows rows(shape, 7, 1);
    at::Tensor keys = EmptyPages(shape, 4), values = EmptyPages(shape, 4);
    const auto run = [&](int64_t first_row, int64_t count, int64_t context, std::vector<int32_t> pages) {
      const std::vector<SequenceSpan> spans = {{first_row, count, context, std::move(pages)}};
      EXPECT_THROW(WritePages(rows.k, spans, &keys), c10::Error);
      EXPECT_THROW(PagedAttention(rows.q, keys, values, spans), c10::Error);
    };
    run(0, 7, 0, {1});      // too few pages
    run(0, 7, 0, {1, 4});   // no such page
    run(0, 7, 0, {1, -1});  // likewise
    run(3, 7, 0, {1, 2});   // rows outside the batch
    run(-1, 7, 0, {1, 2});  // likewise
    run(0, 7, -1, {1, 2});  // a position before the first
    run(0, -1, 0, {1, 2});  // less than nothing
    run(0, 7, 4, {1, 2});   // too few pages for the context
    run(0, 6, 0, {1, 2});   // a row that nobody has
    run(1, 6, 0, {1, 2});   // likewise
    const std::vector<SequenceSpan> twice = {{0, 4, 0, {1}}, {3, 4, 0, {2}}};
    EXPECT_THROW(PagedAttention(rows.q, keys, values, twice), c10::Error);
  }
}

// The plain-ATen form of what one row of one head is kept as, which begins wherever in memory.
TEST(PagedAttention, OneRowOfAnyWidthCanBeRead) {
  for (const KvFormat format : kFormats) {
    for (const int64_t width : {2, 70, 71}) {
      const at::Tensor row = Noise({1, 1, width}, 3);
      const at::Tensor kept = ToKvRows(row, format);
      EXPECT_LT((FromKvRows(kept) - row).abs().max().item<float>(), 0.05f) << width;
      EXPECT_EQ(FromKvRows(kept.narrow(0, 0, 0)).numel(), 0);
    }
  }
}

TEST(PagedAttention, RefusesPagesOfAnotherShapeOrForm) {
  const Shape shape{.width = 16};
  const Rows rows(shape, 3, 1);
  const std::vector<SequenceSpan> spans = {{.first_row = 0, .rows = 3, .context = 0, .pages = {0}}};
  const at::Tensor keys = EmptyPages(shape, 2);
  at::Tensor wide = EmptyPages({.width = 20}, 2);  // bytes of an int8 row of 16
  EXPECT_THROW(WritePages(rows.k, spans, &wide), c10::Error);
  EXPECT_THROW(PagedAttention(rows.q, keys, wide, spans), c10::Error);
  EXPECT_THROW(PagedAttention(rows.q, keys, EmptyPages({.format = KvFormat::kBfloat16}, 2), spans),
               c10::Error);
  EXPECT_THROW(PagedAttention(rows.q, keys.to(at::kDouble), keys.to(at::kDouble), spans), c10::Error);
  EXPECT_THROW(PagedAttention(Noise({3, 3, 16}, 1), keys, keys, spans), c10::Error) << "3 heads on 2";
  EXPECT_THROW(MakeKvPages(KvFormat::kInt8, 0, 16, 2, 16, at::kCPU), c10::Error);
  EXPECT_THROW(MakeKvPages(KvFormat::kInt8, 1, 16, 2, 0, at::kCPU), c10::Error);
  EXPECT_THROW(HeadWidthOf(at::full({1, 1, 1, 4}, 0, at::kChar)), c10::Error) << "only a scale";
}

}  // namespace
}  // namespace antiphon
