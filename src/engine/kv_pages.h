// Who uses which page of the KV pool: reference counts, and per sequence a page table that can be forked and
// cut. Nothing here touches tensors; the copies that a first write into a shared page needs are handed to the
// caller.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/sequence_gap.h"

namespace antiphon {

// The reference counts of a fixed number of pages. One thread at a time. Outlives every PageTable made on it.
class PagePool {
 public:
  // REQUIRES: pages > 0, page_positions > 0.
  PagePool(int32_t pages, int32_t page_positions);
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  int32_t page_positions() const { return page_positions_; }
  int32_t pages() const { return static_cast<int32_t>(references_.size()); }
  int32_t free_pages() const { return static_cast<int32_t>(free_.size()); }
  int32_t pages_in_use() const { return pages() - free_pages(); }
  int32_t references(int32_t page) const { return references_.at(static_cast<size_t>(page)); }

  // A page nobody uses, with one reference. REQUIRES: free_pages() > 0.
  int32_t Allocate();
  // REQUIRES: references(page) > 0.
  void Share(int32_t page);
  // The last release frees the page. REQUIRES: references(page) > 0.
  void Release(int32_t page);

 private:
  int32_t page_positions_;
  std::vector<int32_t> references_;
  std::vector<int32_t> free_;  // used as a stack: a page just freed is the one still warm in the cache
};

// Copy the first `positions` positions of page `from` to page `to`, in all layers.
struct PageCopy {
  int32_t from = 0;
  int32_t to = 0;
  int32_t positions = 0;

  friend bool operator==(const PageCopy&, const PageCopy&) = default;
};

using PageCopier = std::function<void(const PageCopy&)>;

// Moves keys and values as the gap says, in all layers.
using GapCloser = std::function<void(const SequenceGap&)>;

// The pages of one sequence. A value: a copy is a fork that shares all pages, and destruction releases them.
// Positions are appended, cut off at the end, or taken out of the middle; a shared page is replaced before it
// is written.
class PageTable {
 public:
  // `pool` must outlive the table.
  explicit PageTable(PagePool* pool) : pool_(pool) {}
  PageTable(const PageTable& other);
  PageTable(PageTable&& other) noexcept;
  PageTable& operator=(PageTable other) noexcept;
  ~PageTable();

  // Begins with the positions of these whole pages, which it shares. REQUIRES: length() is 0 and nothing is
  // reserved; the pages are in use and full.
  void Adopt(std::span<const int32_t> pages);

  // Positions that hold keys and values.
  int64_t length() const { return length_; }
  std::span<const int32_t> pages() const { return pages_; }

  // New pages that Reserve(rows) would take from the pool.
  int32_t PagesNeeded(int64_t rows) const;

  // Makes positions [length, length + rows) writable for this table alone. A last page that is shared and
  // partly used is replaced by a fresh one, which `copy` must fill before it returns. When the pool has too
  // few pages returns false and changes nothing; if `copy` throws nothing is lost either. Reserving twice is
  // harmless.
  [[nodiscard]] bool Reserve(int64_t rows, const PageCopier& copy);

  // The reserved positions were written. REQUIRES: Reserve(rows) came before.
  void Append(int64_t rows);

  // Cuts back to `length` positions and frees the pages behind. REQUIRES: 0 <= length <= length().
  void Truncate(int64_t length);

  // Takes out the positions [first, first + rows): those behind move up, in pages of their own where one is
  // shared, and the pages that are left over are freed. `close` does the moving; when it throws the table
  // stays as it was, but what stands from `first` on in pages of its own may be spoilt. Returns false, and
  // changes nothing, when the pool has too few pages. REQUIRES: 0 <= first, 0 <= rows, first + rows <=
  // length().
  [[nodiscard]] bool Remove(int64_t first, int64_t rows, const GapCloser& close);

 private:
  int64_t UsedPages(int64_t positions) const;
  void Unshare(size_t index, const PageCopier& copy);

  PagePool* pool_;
  int64_t length_ = 0;
  std::vector<int32_t> pages_;  // covers length_ positions and what is reserved
};

}  // namespace antiphon
