#include "engine/prefix_cache.h"

#include <cassert>
#include <cstddef>
#include <iterator>

namespace antiphon {
namespace {

constexpr int32_t kNoPage = -1;

bool IsSymbolAlone(const StreamPosition& position) {
  return position.heard.empty() && position.spoken.empty();
}

// The symbols of the first `count` positions; none when one of them reads more than that, or they are fewer.
std::vector<int64_t> SymbolsOfPage(std::span<const StreamPosition> positions, size_t count) {
  std::vector<int64_t> symbols;
  if (positions.size() < count) return symbols;
  for (const StreamPosition& position : positions.first(count)) {
    if (!IsSymbolAlone(position)) return {};
    symbols.push_back(position.symbol);
  }
  return symbols;
}

}  // namespace

PrefixCache::~PrefixCache() {
  for (const auto& [key, entry] : entries_) pool_->Release(entry.page);
}

std::vector<int32_t> PrefixCache::Find(std::span<const StreamPosition> positions) {
  const auto size = static_cast<size_t>(pool_->page_positions());
  std::vector<int32_t> pages;
  if (most_pages_ == 0) return pages;
  ++now_;
  bool fills_a_page = false;
  for (int32_t before = kNoPage;; positions = positions.subspan(size)) {
    std::vector<int64_t> symbols = SymbolsOfPage(positions, size);
    if (symbols.empty()) break;
    fills_a_page = true;
    const auto found = entries_.find({before, std::move(symbols)});
    if (found == entries_.end()) break;
    found->second.used = now_;
    pages.push_back(before = found->second.page);
  }
  counters_.hits += pages.empty() ? 0 : 1;
  counters_.misses += pages.empty() && fills_a_page ? 1 : 0;
  counters_.positions += pages.size() * size;
  return pages;
}

void PrefixCache::Keep(std::span<const StreamPosition> positions, std::span<const int32_t> pages) {
  const auto size = static_cast<size_t>(pool_->page_positions());
  assert(pages.size() >= positions.size() / size);
  ++now_;
  int32_t before = kNoPage;
  for (size_t i = 0; i < positions.size() / size; ++i) {
    std::vector<int64_t> symbols = SymbolsOfPage(positions.subspan(i * size), size);
    assert(!symbols.empty());
    Key key{before, std::move(symbols)};
    auto found = entries_.find(key);
    if (found == entries_.end()) {
      // What this call has gone through stays: a page whose beginning is gone would never be found.
      const auto may_go = [this](const Entry& entry) { return entry.used < now_; };
      if (std::ssize(entries_) >= most_pages_ && !FreeOldest(may_go)) return;
      found = entries_.emplace(std::move(key), Entry{.page = pages[i]}).first;
      by_page_.emplace(pages[i], found);
      pool_->Share(pages[i]);
      if (before != kNoPage) ++by_page_.at(before)->second.children;
    }
    found->second.used = now_;
    before = found->second.page;
  }
}

bool PrefixCache::FreePage() {
  return FreeOldest([this](const Entry& entry) { return pool_->references(entry.page) == 1; });
}

// A page others stand behind stays until they are gone.
template <typename MayGo>
bool PrefixCache::FreeOldest(const MayGo& may_go) {
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->second.children > 0 || !may_go(it->second)) continue;
    if (oldest == entries_.end() || it->second.used < oldest->second.used) oldest = it;
  }
  if (oldest == entries_.end()) return false;
  const int32_t before = oldest->first.first;
  if (before != kNoPage) --by_page_.at(before)->second.children;
  by_page_.erase(oldest->second.page);
  pool_->Release(oldest->second.page);
  entries_.erase(oldest);
  return true;
}

}  // namespace antiphon
