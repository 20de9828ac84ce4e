#include "kernels/paged_attention.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/kernels/forms.h"

namespace antiphon {
namespace {

constexpr int64_t kHeads = 4;
constexpr int64_t kKvHeads = 2;
constexpr int64_t kPagePositions = 5;
constexpr int64_t kPages = 40;

// A pool full of NaN, so that reading a place nobody wrote shows.
torch::Tensor EmptyPool(int64_t width) {
  return at::full({kPages, kPagePositions, kKvHeads, width}, std::numeric_limits<float>::quiet_NaN());
}

// Queries, keys and values of `positions` positions of one sequence.
struct Rows {
  Rows(int64_t positions, int64_t width, uint64_t seed)
      : q(Noise({positions, kHeads, width}, seed)),
        k(Noise({positions, kKvHeads, width}, seed + 100)),
        v(Noise({positions, kKvHeads, width}, seed + 200)) {}
  torch::Tensor q, k, v;
};

// Runs rows [first, first + count) of `rows` as one span of its own.
torch::Tensor RunSpan(const Rows& rows, int64_t first, int64_t count, const std::vector<int32_t>& pages,
                      torch::Tensor* keys, torch::Tensor* values) {
  const std::vector<SequenceSpan> spans = {{.first_row = 0, .rows = count, .context = first, .pages = pages}};
  WritePages(rows.k.narrow(0, first, count), spans, keys);
  WritePages(rows.v.narrow(0, first, count), spans, values);
  return PagedAttention(rows.q.narrow(0, first, count), *keys, *values, spans);
}

const std::vector<int32_t> kScattered = {17, 3, 39, 0, 8};  // 25 positions

TEST(PagedAttention, EveryFormAgreesWithAten) {
  for (const int64_t width : {2, 12, 64, 70}) {
    const Rows rows(23, width, 1);
    const torch::Tensor expected = [&] {
      const auto form = KernelFormGuard::Aten();
      torch::Tensor keys = EmptyPool(width), values = EmptyPool(width);
      return RunSpan(rows, 0, 23, kScattered, &keys, &values);
    }();
    EXPECT_FALSE(expected.isnan().any().item<bool>());
    for (const SimdLoops* loops : RunnableLoops()) {
      const auto form = KernelFormGuard::Loops(*loops);
      torch::Tensor keys = EmptyPool(width), values = EmptyPool(width);
      const torch::Tensor actual = RunSpan(rows, 0, 23, kScattered, &keys, &values);
      EXPECT_LT((actual - expected).abs().max().item<double>(), 1e-5) << loops->name << " " << width;
    }
  }
}

// Prefill in one chunk, in odd chunks and position by position: the same to the bit.
TEST(PagedAttention, ChunksDoNotMatter) {
  for (const SimdLoops* loops : RunnableLoops()) {
    const auto form = KernelFormGuard::Loops(*loops);
    const Rows rows(23, 20, 5);
    torch::Tensor keys = EmptyPool(20), values = EmptyPool(20);
    const torch::Tensor whole = RunSpan(rows, 0, 23, kScattered, &keys, &values);
    for (const int64_t chunk : {1, 3, 7}) {
      torch::Tensor chunk_keys = EmptyPool(20), chunk_values = EmptyPool(20);
      for (int64_t first = 0; first < 23; first += chunk) {
        const int64_t count = std::min<int64_t>(chunk, 23 - first);
        const torch::Tensor part = RunSpan(rows, first, count, kScattered, &chunk_keys, &chunk_values);
        EXPECT_TRUE(part.equal(whole.narrow(0, first, count))) << loops->name << ", chunks of " << chunk;
      }
    }
  }
}

TEST(PagedAttention, SequencesOfABatchDoNotMix) {
  for (const SimdLoops* loops : RunnableLoops()) {
    const auto form = KernelFormGuard::Loops(*loops);
    const Rows a(9, 16, 10), b(14, 16, 20);
    torch::Tensor keys = EmptyPool(16), values = EmptyPool(16);
    const torch::Tensor a_alone = RunSpan(a, 0, 9, {1, 2}, &keys, &values);
    const torch::Tensor b_alone = RunSpan(b, 0, 14, {30, 31, 32}, &keys, &values);

    torch::Tensor batch_keys = EmptyPool(16), batch_values = EmptyPool(16);
    RunSpan(a, 0, 6, {5, 4}, &batch_keys, &batch_values);  // the rest of a goes with the whole of b
    const std::vector<SequenceSpan> spans = {{.first_row = 0, .rows = 14, .context = 0, .pages = {9, 7, 6}},
                                             {.first_row = 14, .rows = 3, .context = 6, .pages = {5, 4}}};
    const auto join = [](const torch::Tensor& first, const torch::Tensor& second) {
      torch::Tensor joined = at::full({17, first.size(1), first.size(2)}, 0.0f);
      joined.narrow(0, 0, 14).copy_(first);
      joined.narrow(0, 14, 3).copy_(second.narrow(0, 6, 3));
      return joined;
    };
    WritePages(join(b.k, a.k), spans, &batch_keys);
    WritePages(join(b.v, a.v), spans, &batch_values);
    const torch::Tensor together = PagedAttention(join(b.q, a.q), batch_keys, batch_values, spans);
    EXPECT_TRUE(together.narrow(0, 0, 14).equal(b_alone)) << loops->name;
    EXPECT_TRUE(together.narrow(0, 14, 3).equal(a_alone.narrow(0, 6, 3))) << loops->name;
  }
}

TEST(PagedAttention, RefusesPageTablesThatDoNotFit) {
  torch::Tensor keys = EmptyPool(8), values = EmptyPool(8);
  const Rows rows(7, 8, 1);
  EXPECT_THROW(RunSpan(rows, 0, 7, {1}, &keys, &values), c10::Error) << "too few pages";
  EXPECT_THROW(RunSpan(rows, 0, 7, {1, kPages}, &keys, &values), c10::Error) << "no such page";
  EXPECT_THROW(RunSpan(rows, 0, 7, {1, -1}, &keys, &values), c10::Error) << "no such page";
  const std::vector<SequenceSpan> outside = {{.first_row = 3, .rows = 7, .context = 0, .pages = {1, 2}}};
  EXPECT_THROW(WritePages(rows.k, outside, &keys), c10::Error) << "rows outside the batch";
}

}  // namespace
}  // namespace antiphon
