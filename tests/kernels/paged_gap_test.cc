#include "kernels/paged_gap.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <numeric>

#include "kernels/kv_rows.h"
#include "kernels/paged_attention.h"
#include "tests/kernels/forms.h"

namespace antiphon {
namespace {

constexpr int64_t kKvHeads = 2;
constexpr int64_t kWidth = 12;
constexpr int64_t kPagePositions = 5;
constexpr int64_t kPages = 12;
constexpr int64_t kLength = 23;

using Pages = std::vector<int32_t>;
const Pages kScattered = {7, 3, 11, 0, 8};  // 25 positions

at::Tensor EmptyPool() {
  return at::full({kPages, kPagePositions, kKvHeads, kWidth}, std::numeric_limits<float>::quiet_NaN());
}

RotaryTable Rotary() { return MakeRotaryTable(64, kWidth, 10000.0, at::kCPU); }

// `rows` at the positions from `first` on, turned to them if they are keys.
void Put(const at::Tensor& rows, bool keys, int64_t first, const Pages& pages, at::Tensor* pool) {
  at::Tensor turned = rows.clone();
  std::vector<int64_t> positions(static_cast<size_t>(rows.size(0)));
  std::iota(positions.begin(), positions.end(), first);
  if (keys) Rotate(Rotary(), positions, &turned);
  WritePages(turned, {{.first_row = 0, .rows = rows.size(0), .context = first, .pages = pages}}, pool);
}

at::Tensor RowAt(const at::Tensor& pool, const Pages& pages, int64_t position) {
  return pool[pages[static_cast<size_t>(position / kPagePositions)]][position % kPagePositions];
}

// In each form there is.
void InEveryForm(const std::function<void(const char* form)>& check) {
  {
    const auto form = KernelFormGuard::Aten();
    check("aten");
  }
  for (const AttentionLoops* loops : RunnableAttentionLoops()) {
    const auto form = KernelFormGuard::Loops(*loops);
    check(loops->name);
  }
}

// Closes the gap [first, first + rows) of kLength positions and compares every position with a pool into
// which only the others were written.
void ExpectAsIfNeverThere(int64_t first, int64_t rows, const Pages& after, const char* form) {
  const at::Tensor made = Noise({kLength, kKvHeads, kWidth}, 1);
  for (const bool keys : {true, false}) {
    at::Tensor pool = EmptyPool();
    Put(made, keys, 0, kScattered, &pool);
    const at::Tensor original = pool.clone();
    const RotaryTable rotary = Rotary();
    CloseGap({first, rows, kLength, kScattered, after}, keys ? &rotary : nullptr, &pool);
    at::Tensor expected = EmptyPool();
    if (first > 0) Put(made.narrow(0, 0, first), keys, 0, after, &expected);
    const int64_t behind = kLength - first - rows;
    if (behind > 0) Put(made.narrow(0, first + rows, behind), keys, first, after, &expected);
    for (int64_t position = 0; position < kLength - rows; ++position) {
      const double difference =
          LargestDifference(RowAt(pool, after, position), RowAt(expected, after, position));
      if (keys && position >= first) {
        EXPECT_LT(difference, 1e-5) << form << ", key " << position;
      } else {
        EXPECT_EQ(difference, 0.0) << form << ", " << (keys ? "key " : "value ") << position;
      }
    }
    // Pages that were replaced may have other readers.
    for (size_t i = 0; i < after.size(); ++i) {
      const int32_t page = kScattered[i];
      if (after[i] != page) {
        EXPECT_TRUE(pool[page].equal(original[page])) << form << ", page " << i;
      }
    }
  }
}

TEST(PagedGap, WhatIsBehindStandsAsIfTheGapHadNeverBeen) {
  InEveryForm([](const char* form) {
    ExpectAsIfNeverThere(3, 5, {7, 3, 11, 0}, form);  // one page, across a border
    ExpectAsIfNeverThere(5, 10, {7, 3, 11}, form);    // whole pages
    ExpectAsIfNeverThere(0, 1, {7, 3, 11, 0, 8}, form);
    ExpectAsIfNeverThere(6, 13, {7, 3}, form);
    ExpectAsIfNeverThere(21, 2, {7, 3, 11, 0, 8}, form);  // nothing is behind it
  });
}

TEST(PagedGap, ReplacedPagesLeaveThoseOfOthersAlone) {
  InEveryForm([](const char* form) {
    ExpectAsIfNeverThere(7, 6, {7, 1, 2, 4}, form);   // the rows before the gap on its first page go along
    ExpectAsIfNeverThere(7, 6, {7, 3, 2, 0}, form);   // only one of those written
    ExpectAsIfNeverThere(10, 4, {7, 3, 1, 0}, form);  // the gap begins on a border
  });
}

TEST(PagedGap, LeavesWhatIsBeforeItToTheBit) {
  InEveryForm([](const char* form) {
    at::Tensor pool = EmptyPool();
    Put(Noise({kLength, kKvHeads, kWidth}, 2), true, 0, kScattered, &pool);
    const at::Tensor before = pool.clone();
    const RotaryTable rotary = Rotary();
    CloseGap({8, 5, kLength, kScattered, {7, 3, 11, 0}}, &rotary, &pool);
    for (int64_t position = 0; position < 8; ++position) {
      EXPECT_TRUE(RowAt(pool, kScattered, position).equal(RowAt(before, kScattered, position))) << form;
    }
  });
}

// Of a video at most 8 frames are in the context, all that stand behind one were turned back no oftener.
TEST(PagedGap, EightRemovalsOfAPictureKeepAKeyWithinFloatRounding) {
  constexpr int64_t kPicture = 66;
  constexpr int64_t kPositions = 8 * kPicture + 10;
  const RotaryTable rotary = MakeRotaryTable(kPositions, kWidth, 10000.0, at::kCPU);
  const Pages pages = [] {
    Pages all(static_cast<size_t>((kPositions + kPagePositions - 1) / kPagePositions));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }();
  const at::Tensor made = Noise({kPositions, kKvHeads, kWidth}, 3);
  at::Tensor turned = made.clone();
  std::vector<int64_t> positions(static_cast<size_t>(kPositions));
  std::iota(positions.begin(), positions.end(), 0);
  Rotate(rotary, positions, &turned);
  at::Tensor pool = at::full({static_cast<int64_t>(pages.size()), kPagePositions, kKvHeads, kWidth}, 0.0f);
  WritePages(turned, {{.first_row = 0, .rows = kPositions, .context = 0, .pages = pages}}, &pool);
  for (int64_t length = kPositions; length > 10; length -= kPicture) {
    const auto left = static_cast<std::ptrdiff_t>((length - kPicture + kPagePositions - 1) / kPagePositions);
    CloseGap({0, kPicture, length, pages, {pages.begin(), pages.begin() + left}}, &rotary, &pool);
  }
  at::Tensor expected = made.narrow(0, 8 * kPicture, 10).clone();
  positions.resize(10);
  Rotate(rotary, positions, &expected);
  for (int64_t position = 0; position < 10; ++position) {
    const double difference = LargestDifference(RowAt(pool, pages, position), expected[position]);
    EXPECT_LT(difference, 2e-4) << "key " << position;
    RecordProperty("key_" + std::to_string(position), std::to_string(difference));
  }
}

// In rounded pages what moves is rounded once more each time, values never; all that stands before the gap,
// and pages that were replaced, stay to the bit.
TEST(PagedGap, RoundedPagesKeepKeysNear) {
  InEveryForm([](const char* form) {
    for (const KvFormat format : {KvFormat::kBfloat16, KvFormat::kInt8}) {
      const at::Tensor made = Noise({kLength, kKvHeads, kWidth}, 5);
      const double step =
          made.abs().max().item<double>() * (format == KvFormat::kInt8 ? 1.0 / 127 : 1.0 / 256);
      for (const bool keys : {true, false}) {
        at::Tensor pool = MakeKvPages(format, kPages, kPagePositions, kKvHeads, kWidth, at::kCPU).zero_();
        Put(made, keys, 0, kScattered, &pool);
        const at::Tensor original = pool.clone();
        const RotaryTable rotary = Rotary();
        const Pages after = {7, 1, 2, 4};
        CloseGap({7, 6, kLength, kScattered, after}, keys ? &rotary : nullptr, &pool);
        at::Tensor expected = MakeKvPages(format, kPages, kPagePositions, kKvHeads, kWidth, at::kCPU).zero_();
        Put(made.narrow(0, 0, 7), keys, 0, after, &expected);
        Put(made.narrow(0, 13, kLength - 13), keys, 7, after, &expected);
        for (int64_t position = 0; position < kLength - 6; ++position) {
          const at::Tensor got = RowAt(pool, after, position);
          const at::Tensor wanted = RowAt(expected, after, position);
          if (keys && position >= 7) {
            // Two roundings to the nearest, turned, against one.
            EXPECT_LT(LargestDifference(FromKvRows(got), FromKvRows(wanted)), 2 * step)
                << form << ", " << position;
          } else {
            EXPECT_TRUE(got.equal(wanted)) << form << ", " << position;
          }
        }
        for (const int32_t page : {3, 11, 0, 8}) EXPECT_TRUE(pool[page].equal(original[page])) << form;
      }
    }
  });
}

TEST(PagedGap, RefusesWhatDoesNotFitAndWritesNothing) {
  at::Tensor pool = at::full({kPages, kPagePositions, kKvHeads, kWidth}, 0.0f);
  Put(Noise({kLength, kKvHeads, kWidth}, 4), true, 0, kScattered, &pool);
  const at::Tensor before = pool.clone();
  const RotaryTable rotary = Rotary();
  const Pages whole = kScattered;
  const SequenceGap wrong[] = {
      {-1, 2, kLength, whole, whole},                 // before the sequence
      {22, 2, kLength, whole, whole},                 // beyond it
      {3, 0, kLength, whole, whole},                  // nothing
      {3, 2, 26, whole, whole},                       // longer than its pages
      {3, 2, kLength, whole, {7, 3, 11, 0}},          // too few for what stays
      {3, 2, kLength, whole, {7, 3, 11, 0, kPages}},  // no such page
      {3, 2, kLength, {7, 3, 11, -1, 8}, whole},      // likewise
      {3, 2, kLength, whole, {7, 3, 11, 0, 8, 1}},    // more than before
  };
  for (const SequenceGap& gap : wrong) EXPECT_THROW(CloseGap(gap, &rotary, &pool), c10::Error);
  const RotaryTable narrow = MakeRotaryTable(64, kWidth - 2, 10000.0, at::kCPU);
  const RotaryTable brief = MakeRotaryTable(2, kWidth, 10000.0, at::kCPU);
  EXPECT_THROW(CloseGap({3, 2, kLength, whole, whole}, &narrow, &pool), c10::Error);
  EXPECT_THROW(CloseGap({3, 2, kLength, whole, whole}, &brief, &pool), c10::Error);
  EXPECT_TRUE(pool.equal(before));
}

}  // namespace
}  // namespace antiphon
