#include "engine/prefix_cache.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace antiphon {
namespace {

using Pages = std::vector<int32_t>;

// Positions that read these symbols.
std::vector<StreamPosition> Reading(const std::vector<int64_t>& symbols) {
  std::vector<StreamPosition> positions;
  for (const int64_t symbol : symbols) positions.push_back({.symbol = symbol});
  return positions;
}

// A pool of 8 pages of 2 positions, and a cache of 4 of them.
class PrefixCacheTest : public testing::Test {
 protected:
  // A sequence that has run these symbols, and is kept as what others begin with.
  PageTable Run(const std::vector<int64_t>& symbols) {
    PageTable table(&pool_);
    EXPECT_TRUE(table.Reserve(std::ssize(symbols), [](const PageCopy&) {}));
    table.Append(std::ssize(symbols));
    cache_->Keep(Reading(symbols), table.pages());
    return table;
  }
  Pages Find(const std::vector<int64_t>& symbols) { return cache_->Find(Reading(symbols)); }

  PagePool pool_{8, 2};
  std::optional<PrefixCache> cache_{std::in_place, &pool_, 4};
};

TEST_F(PrefixCacheTest, WholePagesOfTheSameSymbolsAreFound) {
  Pages pages;
  {
    const PageTable table = Run({1, 2, 3, 4, 5});
    pages.assign(table.pages().begin(), table.pages().end());
  }
  EXPECT_EQ(cache_->pages(), 2);
  EXPECT_EQ(pool_.pages_in_use(), 2) << "the page that is not full is not kept";
  pages.resize(2);
  EXPECT_EQ(Find({1, 2, 3, 4, 5}), pages);
  EXPECT_EQ(Find({1, 2, 3, 4}), pages);
  EXPECT_EQ(Find({1, 2, 3, 9}), Pages{pages[0]});
  EXPECT_EQ(Find({1, 2, 3}), Pages{pages[0]});
  EXPECT_EQ(Find({3, 4}), Pages{}) << "what comes before counts";
  EXPECT_EQ(Find({1}), Pages{});
  EXPECT_EQ(cache_->counters().hits, 4u);
  EXPECT_EQ(cache_->counters().misses, 1u) << "what fills no page is no miss";
  EXPECT_EQ(cache_->counters().positions, 4u + 4 + 2 + 2);
}

TEST_F(PrefixCacheTest, APositionThatHearsOrSpeaksIsNotFound) {
  Run({1, 2, 3, 4});
  std::vector<StreamPosition> positions = Reading({1, 2, 3, 4});
  positions[3].heard = {7};
  EXPECT_EQ(cache_->Find(positions).size(), 1u);
  positions[0].spoken = {7};
  EXPECT_EQ(cache_->Find(positions).size(), 0u);
}

TEST_F(PrefixCacheTest, WhatIsKnownIsKeptOnce) {
  const PageTable first = Run({1, 2, 3, 4});
  const PageTable second = Run({1, 2, 5, 6});
  EXPECT_EQ(cache_->pages(), 3);
  EXPECT_EQ(Find({1, 2, 5, 6}), (Pages{first.pages()[0], second.pages()[1]}));
}

TEST_F(PrefixCacheTest, TheOneNotUsedForLongestMakesRoom) {
  Run({1, 2, 3, 4});
  Run({5, 6, 7, 8});
  EXPECT_EQ(Find({1, 2, 3, 4}).size(), 2u);
  Run({9, 10});
  EXPECT_EQ(cache_->pages(), 4);
  EXPECT_EQ(pool_.pages_in_use(), 4);
  EXPECT_EQ(Find({5, 6, 7, 8}).size(), 1u) << "its end went first";
  EXPECT_EQ(Find({1, 2, 3, 4}).size(), 2u);
  EXPECT_EQ(Find({9, 10}).size(), 1u);
}

TEST_F(PrefixCacheTest, ABeginningLongerThanTheCacheIsKeptInPart) {
  Run({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  EXPECT_EQ(cache_->pages(), 4);
  EXPECT_EQ(Find({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}).size(), 4u);
}

TEST_F(PrefixCacheTest, PagesAreFreedUnlessASequenceUsesThem) {
  std::optional<PageTable> table(Run({1, 2, 3, 4}));
  Run({5, 6});
  EXPECT_TRUE(cache_->FreePage());
  EXPECT_EQ(Find({5, 6}).size(), 0u);
  EXPECT_FALSE(cache_->FreePage()) << "the others are in use";
  EXPECT_EQ(Find({1, 2, 3, 4}).size(), 2u);
  table.reset();
  EXPECT_TRUE(cache_->FreePage());
  EXPECT_TRUE(cache_->FreePage());
  EXPECT_FALSE(cache_->FreePage());
  EXPECT_EQ(pool_.pages_in_use(), 0);
  EXPECT_EQ(Find({1, 2}).size(), 0u);
}

TEST_F(PrefixCacheTest, ASequenceThatAdoptsPagesDoesNotWriteThem) {
  Run({1, 2, 3, 4});
  PageTable table(&pool_);
  table.Adopt(Find({1, 2, 3, 4}));
  EXPECT_EQ(table.length(), 4);
  EXPECT_EQ(table.PagesNeeded(1), 1);
  EXPECT_TRUE(table.Reserve(1, [](const PageCopy&) { ADD_FAILURE() << "a copy was made"; }));
  table.Truncate(3);
  std::vector<PageCopy> copies;
  EXPECT_TRUE(table.Reserve(1, [&](const PageCopy& copy) { copies.push_back(copy); }));
  ASSERT_EQ(copies.size(), 1u) << "the page is the cache's as well";
  EXPECT_EQ(copies[0].positions, 1);
}

TEST_F(PrefixCacheTest, ACacheOfNoPagesKeepsNone) {
  cache_.emplace(&pool_, 0);
  Run({1, 2});
  EXPECT_EQ(cache_->pages(), 0);
  EXPECT_EQ(Find({1, 2}), Pages{});
  EXPECT_EQ(cache_->counters().misses, 0u);
  EXPECT_EQ(pool_.pages_in_use(), 0);
}

TEST_F(PrefixCacheTest, ItGivesItsPagesBack) {
  Run({1, 2, 3, 4});
  EXPECT_EQ(pool_.pages_in_use(), 2);
  cache_.reset();
  EXPECT_EQ(pool_.pages_in_use(), 0);
}

}  // namespace
}  // namespace antiphon
