#include "kernels/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "kernels/thread_team.h"
#include "tests/kernels/forms.h"

namespace antiphon {
namespace {

// [out, in]: Wren's matrices, sizes that are no multiple of any vector, and the smallest.
const std::vector<std::pair<int64_t, int64_t>> kShapes = {{768, 256}, {256, 768}, {41, 16},
                                                          {13, 37},   {1, 1},     {8, 3}};

TEST(Linear, EveryFormAgreesWithAten) {
  for (const auto& [out, in] : kShapes) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      const at::Tensor weight = Noise({out, in}, 1).to(type);
      const at::Tensor x = Noise({11, in}, 2);
      at::Tensor expected;
      {
        const auto form = KernelFormGuard::Aten();
        expected = Linear(x, weight);
      }
      for (const SimdLoops* loops : RunnableLoops()) {
        const auto form = KernelFormGuard::Loops(*loops);
        EXPECT_LT(LargestDifference(Linear(x, weight), expected), 2e-6 * in + 1e-6)
            << loops->name << " " << out << " x " << in << " " << type;
      }
    }
  }
}

TEST(Linear, AddsToWhatIsThere) {
  const at::Tensor weight = Noise({40, 33}, 1).to(at::kBFloat16);
  const at::Tensor x = Noise({5, 33}, 2);
  const at::Tensor before = Noise({5, 40}, 3);
  for (const SimdLoops* loops : RunnableLoops()) {
    const auto form = KernelFormGuard::Loops(*loops);
    at::Tensor sum = before.clone();
    AddLinear(x, weight, &sum);
    EXPECT_LT(LargestDifference(sum, before + Linear(x, weight)), 1e-6) << loops->name;
  }
}

// Replay depends on this: whatever else is in the batch, a row comes out the same to the last bit.
TEST(Linear, ARowDoesNotDependOnItsBatch) {
  for (const auto& [out, in] : kShapes) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      const at::Tensor weight = Noise({out, in}, 1).to(type);
      const at::Tensor x = Noise({19, in}, 2);
      for (const SimdLoops* loops : RunnableLoops()) {
        const auto form = KernelFormGuard::Loops(*loops);
        const at::Tensor all = Linear(x, weight);
        for (int64_t first = 0; first < 6; ++first) {
          for (int64_t rows = 1; rows <= 13; ++rows) {
            const at::Tensor part = Linear(x.narrow(0, first, rows), weight);
            EXPECT_TRUE(part.equal(all.narrow(0, first, rows)))
                << loops->name << " " << out << " x " << in << ", rows " << first << " to " << first + rows;
          }
        }
      }
    }
  }
}

// 1.6 to 6.5 MB of weights, more than one thread keeps for itself; neither size is a multiple of anything.
TEST(Linear, ThreadsDoNotChangeABit) {
  const at::Tensor floats = Noise({2003, 811}, 1);
  const at::Tensor x = Noise({5, 811}, 2);
  ThreadTeam team(3);
  for (const WeightMatrix& weight :
       {WeightMatrix(floats), WeightMatrix(floats.to(at::kBFloat16)), QuantizeRows(floats)}) {
    for (const int64_t rows : {1, 5}) {
      const at::Tensor alone = Linear(x.narrow(0, 0, rows), weight);
      const ThreadTeamScope scope(&team);
      for (int repeat = 0; repeat < 20; ++repeat) {
        EXPECT_TRUE(Linear(x.narrow(0, 0, rows), weight).equal(alone)) << weight.values.scalar_type();
      }
      at::Tensor sum = alone.clone();
      AddLinear(x.narrow(0, 0, rows), weight, &sum);
      EXPECT_TRUE(sum.equal(alone * 2)) << weight.values.scalar_type();
    }
  }
}

// Beyond a few rows the loops take other paths, in chunks of rows and panels of outputs.
TEST(Linear, NoNumberOfRowsOrThreadsChangesARow) {
  ThreadTeam team(2);
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{83, 1041}, {48, 512}, {19, 30}, {1201, 640}}) {
    const at::Tensor floats = Noise({out, in}, 1);
    const at::Tensor x = Noise({150, in}, 2);
    for (const WeightMatrix& weight :
         {WeightMatrix(floats), WeightMatrix(floats.to(at::kBFloat16)), QuantizeRows(floats)}) {
      at::Tensor one_by_one = at::empty({x.size(0), out});
      for (int64_t r = 0; r < x.size(0); ++r) one_by_one[r] = Linear(x.narrow(0, r, 1), weight)[0];
      for (const bool threads : {false, true}) {
        const ThreadTeamScope scope(threads ? &team : nullptr);
        for (const int64_t rows : {2, 3, 4, 7, 8, 15, 33, 40, 63, 64, 65, 67, 128, 131, 150}) {
          const at::Tensor y = Linear(x.narrow(0, 150 - rows, rows), weight);
          EXPECT_TRUE(y.equal(one_by_one.narrow(0, 150 - rows, rows)))
              << out << " x " << in << " " << weight.values.scalar_type() << ", " << rows << " rows, "
              << (threads ? "two threads" : "one thread");
        }
      }
    }
  }
}

TEST(LinearEach, GivesTheBitsOfLinear) {
  ThreadTeam team(3);
  const at::Tensor q = Noise({896, 811}, 1), k = Noise({131, 811}, 2), v = Noise({3, 811}, 3);
  const auto bf16 = [](const at::Tensor& w) { return WeightMatrix(w.to(at::kBFloat16)); };
  const std::vector<std::vector<WeightMatrix>> calls = {{q, k, v},
                                                        {bf16(q), bf16(k), bf16(v)},
                                                        {QuantizeRows(q), QuantizeRows(k), QuantizeRows(v)},
                                                        {QuantizeRows(q), bf16(k), v}};
  for (const auto& weights : calls) {
    for (const int64_t rows : {0, 1, 6, 70}) {
      const at::Tensor x = Noise({rows, 811}, 4);
      for (const bool threads : {false, true}) {
        const ThreadTeamScope scope(threads ? &team : nullptr);
        const auto results = LinearEach(x, {&weights[0], &weights[1], &weights[2]});
        ASSERT_EQ(results.size(), 3u);
        for (size_t i = 0; i < 3; ++i) {
          EXPECT_TRUE(results[i].equal(Linear(x, weights[i]))) << i << ", " << rows << " rows";
        }
      }
      const auto form = KernelFormGuard::Aten();
      const auto results = LinearEach(x, {&weights[0], &weights[1], &weights[2]});
      for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(results[i].equal(Linear(x, weights[i])));
    }
  }
  EXPECT_TRUE(LinearEach(q, {}).empty());
}

TEST(LinearEach, RefusesShapesThatDisagree) {
  const WeightMatrix fits = Noise({4, 3}, 1), wider = Noise({4, 5}, 1);
  EXPECT_THROW(LinearEach(Noise({2, 3}, 1), {&fits, &wider}), c10::Error);
  EXPECT_THROW(LinearEach(Noise({2, 5}, 1), {&fits, &wider}), c10::Error);
}

TEST(Linear, RefusesShapesThatDisagree) {
  EXPECT_THROW(Linear(Noise({2, 3}, 1), Noise({4, 5}, 1)), c10::Error);
  at::Tensor sum = Noise({2, 5}, 1);
  EXPECT_THROW(AddLinear(Noise({2, 3}, 1), Noise({4, 3}, 1), &sum), c10::Error);
  // Large enough to be shared: it must not come to a part on another thread.
  ThreadTeam team(2);
  const ThreadTeamScope scope(&team);
  EXPECT_THROW(Linear(Noise({2, 512}, 1), Noise({1024, 512}, 1).to(at::kHalf)), c10::Error);
}

}  // namespace
}  // namespace antiphon
