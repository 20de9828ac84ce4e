// The pages that sequences begin with, kept for the next that begins so: what is instructed in the same words
// is run once.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "engine/kv_pages.h"
#include "model/stream_grammar.h"

namespace antiphon {

// A tree of whole pages, each found by the page before it and the exact symbols that it holds; so beginnings
// that differ later share what they have in common. Holds a reference to each page, and what is in them is
// never written. Engine's thread only.
class PrefixCache {
 public:
  struct Counters {
    uint64_t hits = 0;       // of Find: at least a page
    uint64_t misses = 0;     // none, though there were positions for one
    uint64_t positions = 0;  // found
  };

  // At most `most_pages` are kept, 0: none; where there is no room for one more, the one goes that was not
  // used for longest. `pool` outlives the cache.
  PrefixCache(PagePool* pool, int32_t most_pages) : pool_(pool), most_pages_(most_pages) {}
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;
  ~PrefixCache();

  // The pages of the longest beginning of `positions` that is known; whole pages of positions that read a
  // symbol and nothing else. They stay the cache's: share them before anything else is called.
  std::vector<int32_t> Find(std::span<const StreamPosition> positions);

  // `pages` hold these positions from the sequence's first on. Keeps the whole pages of them that are not
  // known. REQUIRES: the positions read a symbol and nothing else.
  void Keep(std::span<const StreamPosition> positions, std::span<const int32_t> pages);

  // Gives the page back to the pool that was not used for longest and that nobody else uses. False: there is
  // none.
  bool FreePage();

  int32_t pages() const { return static_cast<int32_t>(entries_.size()); }
  const Counters& counters() const { return counters_; }
  void ForgetCounters() { counters_ = {}; }

 private:
  // The page before (-1: it is the first) and the symbols. A page that is kept is nobody else's, so its
  // number is a name.
  using Key = std::pair<int32_t, std::vector<int64_t>>;
  struct Entry {
    int32_t page = 0;
    uint64_t used = 0;     // when last, in calls
    int32_t children = 0;  // entries whose key names this page
  };
  using Entries = std::map<Key, Entry>;

  template <typename MayGo>
  bool FreeOldest(const MayGo& may_go);

  PagePool* const pool_;
  const int32_t most_pages_;
  Entries entries_;
  std::map<int32_t, Entries::iterator> by_page_;
  uint64_t now_ = 0;
  Counters counters_;
};

}  // namespace antiphon
