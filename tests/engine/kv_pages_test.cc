#include "engine/kv_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace antiphon {
namespace {

using Copies = std::vector<PageCopy>;

// Reserves and appends; the test has failed if the pool is too small.
Copies Write(PageTable& table, int64_t rows) {
  Copies copies;
  EXPECT_TRUE(table.Reserve(rows, [&](const PageCopy& copy) { copies.push_back(copy); }));
  table.Append(rows);
  return copies;
}

void NoCopy(const PageCopy&) { ADD_FAILURE() << "a copy was made"; }

TEST(KvPagesTest, PagesAreTakenAsPositionsNeedThem) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  EXPECT_TRUE(Write(table, 1).empty());
  EXPECT_EQ(pool.pages_in_use(), 1);
  Write(table, 3);
  EXPECT_EQ(pool.pages_in_use(), 1);
  Write(table, 1);
  EXPECT_EQ(pool.pages_in_use(), 2);
  EXPECT_EQ(table.length(), 5);
  EXPECT_EQ(table.pages().size(), 2u);
}

TEST(KvPagesTest, ReservingTwiceTakesPagesOnce) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  ASSERT_TRUE(table.Reserve(6, NoCopy));
  ASSERT_TRUE(table.Reserve(6, NoCopy));
  EXPECT_EQ(pool.pages_in_use(), 2);
}

TEST(KvPagesTest, DestructionFreesAllPages) {
  PagePool pool(8, 4);
  {
    PageTable table(&pool);
    Write(table, 20);
    EXPECT_EQ(pool.pages_in_use(), 5);
  }
  EXPECT_EQ(pool.pages_in_use(), 0);
}

TEST(KvPagesTest, ForkSharesPagesUntilTheFirstWrite) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  Write(table, 6);
  PageTable fork = table;
  EXPECT_EQ(pool.pages_in_use(), 2);
  EXPECT_EQ(pool.references(table.pages()[0]), 2);

  const int32_t shared_last = table.pages()[1];
  const Copies copies = Write(fork, 1);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0], (PageCopy{shared_last, fork.pages()[1], 2}));
  EXPECT_EQ(pool.pages_in_use(), 3);
  EXPECT_EQ(fork.pages()[0], table.pages()[0]);
  EXPECT_NE(fork.pages()[1], table.pages()[1]);
  EXPECT_EQ(pool.references(shared_last), 1);

  // The page is the original's alone now: it writes in place.
  EXPECT_TRUE(Write(table, 1).empty());
  EXPECT_EQ(table.pages()[1], shared_last);
}

TEST(KvPagesTest, ForkAtAPageBoundaryCopiesNothing) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  Write(table, 8);
  PageTable fork = table;
  EXPECT_TRUE(Write(fork, 1).empty());
  EXPECT_EQ(pool.pages_in_use(), 3);
}

TEST(KvPagesTest, PagesAForkReservedAreNotWrittenByBoth) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  ASSERT_TRUE(table.Reserve(6, NoCopy));
  PageTable fork = table;
  EXPECT_TRUE(Write(fork, 6).empty());  // nothing is in those pages yet
  EXPECT_TRUE(Write(table, 6).empty());
  EXPECT_NE(fork.pages()[0], table.pages()[0]);
  EXPECT_NE(fork.pages()[1], table.pages()[1]);
  EXPECT_EQ(pool.pages_in_use(), 4);
}

TEST(KvPagesTest, TruncateFreesWholePagesOnly) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  Write(table, 13);
  table.Truncate(5);
  EXPECT_EQ(table.length(), 5);
  EXPECT_EQ(pool.pages_in_use(), 2);
  table.Truncate(5);
  EXPECT_EQ(pool.pages_in_use(), 2);
  table.Truncate(0);
  EXPECT_EQ(pool.pages_in_use(), 0);
}

TEST(KvPagesTest, TruncatingAForkLeavesTheOriginal) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  Write(table, 10);
  const std::vector<int32_t> before(table.pages().begin(), table.pages().end());
  PageTable fork = table;
  fork.Truncate(2);
  EXPECT_EQ(pool.pages_in_use(), 3);
  // Writing at position 2 would overwrite what the original still reads.
  const Copies copies = Write(fork, 1);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].positions, 2);
  EXPECT_EQ(std::vector<int32_t>(table.pages().begin(), table.pages().end()), before);
}

TEST(KvPagesTest, ExhaustionChangesNothing) {
  PagePool pool(3, 4);
  PageTable table(&pool);
  Write(table, 6);
  PageTable other(&pool);
  EXPECT_FALSE(other.Reserve(5, NoCopy));
  EXPECT_EQ(pool.free_pages(), 1);
  EXPECT_TRUE(other.pages().empty());

  // A fork needs a page for the copy as well.
  PageTable fork = table;
  EXPECT_EQ(fork.PagesNeeded(3), 2);
  EXPECT_FALSE(fork.Reserve(3, NoCopy));
  EXPECT_EQ(pool.references(table.pages()[1]), 2);
  EXPECT_EQ(Write(fork, 2).size(), 1u);
}

TEST(KvPagesTest, ACopyThatThrowsLosesNothing) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  Write(table, 6);
  PageTable fork = table;
  EXPECT_THROW((void)fork.Reserve(1, [](const PageCopy&) { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_EQ(pool.pages_in_use(), 2);
  EXPECT_EQ(Write(fork, 1).size(), 1u);  // still to be made
}

std::vector<int32_t> PagesOf(const PageTable& table) { return {table.pages().begin(), table.pages().end()}; }

TEST(KvPagesTest, RemovalMovesInPlaceAndFreesWhatIsLeft) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  Write(table, 18);
  const std::vector<int32_t> before = PagesOf(table);
  int calls = 0;
  ASSERT_TRUE(table.Remove(3, 7, [&](const SequenceGap& gap) {
    ++calls;
    EXPECT_EQ(gap.first, 3);
    EXPECT_EQ(gap.rows, 7);
    EXPECT_EQ(gap.length, 18);
    EXPECT_EQ(gap.before, before);
    EXPECT_EQ(gap.after, std::vector<int32_t>(before.begin(), before.begin() + 3));
  }));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(table.length(), 11);
  EXPECT_EQ(PagesOf(table), std::vector<int32_t>(before.begin(), before.begin() + 3));
  EXPECT_EQ(pool.pages_in_use(), 3);
  Write(table, 2);
  EXPECT_EQ(pool.pages_in_use(), 4);
}

TEST(KvPagesTest, RemovalAtTheEndMovesNothing) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  Write(table, 10);
  PageTable fork = table;
  ASSERT_TRUE(table.Remove(3, 7, [](const SequenceGap&) { ADD_FAILURE() << "rows were moved"; }));
  ASSERT_TRUE(table.Remove(1, 0, [](const SequenceGap&) { ADD_FAILURE() << "rows were moved"; }));
  EXPECT_EQ(table.length(), 3);
  EXPECT_EQ(table.pages().size(), 1u);
  EXPECT_EQ(fork.length(), 10);
}

TEST(KvPagesTest, RemovalReplacesPagesThatAForkReads) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  Write(table, 14);
  const PageTable fork = table;
  const std::vector<int32_t> before = PagesOf(table);
  ASSERT_TRUE(table.Remove(5, 4, [&](const SequenceGap& gap) {
    EXPECT_EQ(gap.after.size(), 3u);
    EXPECT_EQ(gap.after[0], before[0]) << "is not written";
    for (size_t i = 1; i < 3; ++i) EXPECT_EQ(std::count(before.begin(), before.end(), gap.after[i]), 0);
  }));
  EXPECT_EQ(PagesOf(fork), before);
  EXPECT_EQ(pool.pages_in_use(), 6);
  EXPECT_EQ(pool.references(before[0]), 2);
  EXPECT_EQ(pool.references(before[1]), 1);
}

TEST(KvPagesTest, RemovalWithoutPagesForTheCopyChangesNothing) {
  PagePool pool(5, 4);
  PageTable table(&pool);
  Write(table, 16);
  const PageTable fork = table;
  const std::vector<int32_t> before = PagesOf(table);
  EXPECT_FALSE(table.Remove(0, 4, [](const SequenceGap&) { ADD_FAILURE() << "rows were moved"; }));
  EXPECT_EQ(table.length(), 16);
  EXPECT_EQ(PagesOf(table), before);
  EXPECT_EQ(pool.pages_in_use(), 4);
}

TEST(KvPagesTest, ARemovalThatThrowsLosesNoPage) {
  PagePool pool(8, 4);
  PageTable table(&pool);
  Write(table, 10);
  const PageTable fork = table;
  const std::vector<int32_t> before = PagesOf(table);
  EXPECT_THROW((void)table.Remove(1, 2, [](const SequenceGap&) { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_EQ(table.length(), 10);
  EXPECT_EQ(PagesOf(table), before);
  EXPECT_EQ(pool.pages_in_use(), 3);
}

TEST(KvPagesTest, AssignmentReleasesWhatItReplaces) {
  PagePool pool(8, 4);
  PageTable a(&pool);
  PageTable b(&pool);
  Write(a, 9);
  Write(b, 4);
  a = b;
  EXPECT_EQ(pool.pages_in_use(), 1);
  b = PageTable(&pool);
  EXPECT_EQ(pool.pages_in_use(), 1);
  const PageTable& self = a;
  a = self;
  EXPECT_EQ(pool.pages_in_use(), 1);
  EXPECT_EQ(a.length(), 4);
}

// Forks, writes, cuts and removals at random, against a copy of what each table should hold; nothing may leak
// or be written through a shared page.
TEST(KvPagesTest, RandomForksNeverSeeEachOthersWrites) {
  constexpr int32_t kPagePositions = 3;
  PagePool pool(64, kPagePositions);
  std::vector<std::vector<int>> memory(64, std::vector<int>(kPagePositions, -1));
  struct Branch {
    PageTable table;
    std::vector<int> expected;
  };
  std::vector<std::optional<Branch>> branches(6);
  branches[0].emplace(Branch{PageTable(&pool), {}});
  std::mt19937 random(7);
  int next_value = 0;
  for (int round = 0; round < 3000; ++round) {
    auto& branch = branches[random() % branches.size()];
    auto& other = branches[random() % branches.size()];
    switch (random() % 5) {
      case 0:
        if (branch && &branch != &other) other = branch;
        break;
      case 1:
        if (branch) {
          const int64_t cut = static_cast<int64_t>(random() % (branch->expected.size() + 1));
          branch->table.Truncate(cut);
          branch->expected.resize(static_cast<size_t>(cut));
        }
        break;
      case 2: {
        if (!branch || branch->expected.empty()) break;
        const size_t first = random() % branch->expected.size();
        const size_t count = random() % (branch->expected.size() - first + 1);
        ASSERT_TRUE(branch->table.Remove(
            static_cast<int64_t>(first), static_cast<int64_t>(count), [&](const SequenceGap& gap) {
              const std::vector<std::vector<int>> was = memory;
              const auto at = [&](const std::vector<int32_t>& pages, int64_t position) {
                return std::pair(static_cast<size_t>(pages[static_cast<size_t>(position / kPagePositions)]),
                                 static_cast<size_t>(position % kPagePositions));
              };
              for (int64_t p = gap.first / kPagePositions * kPagePositions; p < gap.length - gap.rows; ++p) {
                const auto [page, slot] = at(gap.after, p);
                const auto [from, there] = at(gap.before, p < gap.first ? p : p + gap.rows);
                memory[page][slot] = was[from][there];
              }
            }));
        const auto begin = branch->expected.begin() + static_cast<std::ptrdiff_t>(first);
        branch->expected.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
        break;
      }
      default:
        if (!branch || branch->expected.size() > 18) break;
        const int64_t rows = 1 + random() % 4;
        ASSERT_TRUE(branch->table.Reserve(rows, [&](const PageCopy& copy) {
          for (int i = 0; i < copy.positions; ++i) memory[copy.to][i] = memory[copy.from][i];
        }));
        for (int64_t i = 0; i < rows; ++i) {
          const size_t position = branch->expected.size();
          memory[branch->table.pages()[position / kPagePositions]][position % kPagePositions] = next_value;
          branch->expected.push_back(next_value++);
        }
        branch->table.Append(rows);
    }
    for (const auto& checked : branches) {
      if (!checked) continue;
      for (size_t i = 0; i < checked->expected.size(); ++i) {
        ASSERT_EQ(memory[checked->table.pages()[i / kPagePositions]][i % kPagePositions],
                  checked->expected[i]);
      }
    }
  }
  branches.clear();
  EXPECT_EQ(pool.pages_in_use(), 0);
}

}  // namespace
}  // namespace antiphon
