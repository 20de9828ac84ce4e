#include "engine/kv_pages.h"

#include <cassert>
#include <utility>

namespace antiphon {

PagePool::PagePool(int32_t pages, int32_t page_positions)
    : page_positions_(page_positions), references_(static_cast<size_t>(pages), 0) {
  assert(pages > 0 && page_positions > 0);
  free_.reserve(references_.size());
  for (int32_t page = pages - 1; page >= 0; --page) free_.push_back(page);
}

int32_t PagePool::Allocate() {
  assert(!free_.empty());
  const int32_t page = free_.back();
  free_.pop_back();
  references_[static_cast<size_t>(page)] = 1;
  return page;
}

void PagePool::Share(int32_t page) {
  assert(references(page) > 0);
  ++references_[static_cast<size_t>(page)];
}

void PagePool::Release(int32_t page) {
  assert(references(page) > 0);
  if (--references_[static_cast<size_t>(page)] == 0) free_.push_back(page);
}

PageTable::PageTable(const PageTable& other)
    : pool_(other.pool_), length_(other.length_), pages_(other.pages_) {
  for (const int32_t page : pages_) pool_->Share(page);
}

PageTable::PageTable(PageTable&& other) noexcept
    : pool_(other.pool_), length_(std::exchange(other.length_, 0)), pages_(std::exchange(other.pages_, {})) {}

PageTable& PageTable::operator=(PageTable other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(length_, other.length_);
  std::swap(pages_, other.pages_);
  return *this;
}

PageTable::~PageTable() {
  for (const int32_t page : pages_) pool_->Release(page);
}

void PageTable::Adopt(std::span<const int32_t> pages) {
  assert(length_ == 0 && pages_.empty());
  pages_.assign(pages.begin(), pages.end());
  for (const int32_t page : pages_) pool_->Share(page);
  length_ = static_cast<int64_t>(pages_.size()) * pool_->page_positions();
}

int64_t PageTable::UsedPages(int64_t positions) const {
  return (positions + pool_->page_positions() - 1) / pool_->page_positions();
}

int32_t PageTable::PagesNeeded(int64_t rows) const {
  if (rows <= 0) return 0;
  int64_t needed = UsedPages(length_ + rows) - static_cast<int64_t>(pages_.size());
  if (needed < 0) needed = 0;
  // Any page from the first one written on may be shared: the partly used one, and ones a fork reserved.
  for (size_t i = static_cast<size_t>(length_ / pool_->page_positions()); i < pages_.size(); ++i) {
    if (pool_->references(pages_[i]) > 1) ++needed;
  }
  return static_cast<int32_t>(needed);
}

bool PageTable::Reserve(int64_t rows, const PageCopier& copy) {
  if (rows <= 0) return true;
  if (PagesNeeded(rows) > pool_->free_pages()) return false;
  const int64_t last_pages = UsedPages(length_ + rows);
  pages_.reserve(static_cast<size_t>(last_pages));
  for (size_t i = static_cast<size_t>(length_ / pool_->page_positions()); i < pages_.size(); ++i) {
    if (pool_->references(pages_[i]) > 1) Unshare(i, copy);
  }
  while (static_cast<int64_t>(pages_.size()) < last_pages) pages_.push_back(pool_->Allocate());
  return true;
}

void PageTable::Unshare(size_t index, const PageCopier& copy) {
  const int32_t shared = pages_[index];
  const int64_t used = length_ - static_cast<int64_t>(index) * pool_->page_positions();
  const int32_t fresh = pool_->Allocate();
  try {
    if (used > 0) copy({shared, fresh, static_cast<int32_t>(used)});
  } catch (...) {
    pool_->Release(fresh);
    throw;
  }
  pages_[index] = fresh;
  pool_->Release(shared);
}

void PageTable::Append(int64_t rows) {
  assert(UsedPages(length_ + rows) <= static_cast<int64_t>(pages_.size()));
  length_ += rows;
}

void PageTable::Truncate(int64_t length) {
  assert(length >= 0 && length <= length_);
  length_ = length;
  while (static_cast<int64_t>(pages_.size()) > UsedPages(length_)) {
    pool_->Release(pages_.back());
    pages_.pop_back();
  }
}

bool PageTable::Remove(int64_t first, int64_t rows, const GapCloser& close) {
  assert(first >= 0 && rows >= 0 && first + rows <= length_);
  if (rows == 0) return true;
  if (first + rows == length_) {
    Truncate(first);
    return true;
  }
  const auto written = static_cast<size_t>(first / pool_->page_positions());  // the first page that is
  const auto left = static_cast<std::ptrdiff_t>(UsedPages(length_ - rows));
  SequenceGap gap{first, rows, length_, pages_, {pages_.begin(), pages_.begin() + left}};
  std::vector<size_t> shared;
  for (size_t i = written; i < gap.after.size(); ++i) {
    if (pool_->references(gap.after[i]) > 1) shared.push_back(i);
  }
  if (static_cast<int64_t>(shared.size()) > pool_->free_pages()) return false;
  for (const size_t i : shared) gap.after[i] = pool_->Allocate();
  try {
    close(gap);
  } catch (...) {
    for (const size_t i : shared) pool_->Release(gap.after[i]);
    throw;
  }
  pages_.swap(gap.after);
  for (const size_t i : shared) pool_->Release(gap.before[i]);
  for (size_t i = pages_.size(); i < gap.before.size(); ++i) pool_->Release(gap.before[i]);
  length_ -= rows;
  return true;
}

}  // namespace antiphon
