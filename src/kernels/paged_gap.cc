#include "kernels/paged_gap.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/kv_rows.h"

namespace antiphon {
namespace {

// Everything that follows indexes pool and table without further checks.
void CheckGap(const SequenceGap& gap, const RotaryTable* rotary, const at::Tensor& pool) {
  TORCH_CHECK(gap.first >= 0 && gap.rows > 0 && gap.first + gap.rows <= gap.length, "CloseGap: positions ",
              gap.first, " to ", gap.first + gap.rows, " of ", gap.length);
  const int64_t page_positions = pool.size(1);
  const auto covers = [&](const std::vector<int32_t>& pages, int64_t length) {
    return static_cast<int64_t>(pages.size()) * page_positions >= length &&
           std::all_of(pages.begin(), pages.end(),
                       [&](int32_t page) { return page >= 0 && page < pool.size(0); });
  };
  TORCH_CHECK(covers(gap.before, gap.length) && covers(gap.after, gap.length - gap.rows),
              "CloseGap: a page table is too short, or a page is not in the pool");
  TORCH_CHECK(gap.after.size() <= gap.before.size(), "CloseGap: there are pages to spare");
  TORCH_CHECK(pool.is_contiguous(), "CloseGap: not contiguous");
  if (rotary == nullptr) return;
  TORCH_CHECK(gap.rows < rotary->cosines.size(0) && 2 * rotary->cosines.size(1) == HeadWidthOf(pool),
              "CloseGap: the rotary table does not fit");
}

// The first position whose row is written: behind the gap, or on a page that is replaced.
int64_t FirstWritten(const SequenceGap& gap, int64_t page_positions) {
  const int64_t page = gap.first / page_positions;
  const auto index = static_cast<size_t>(page);
  const bool replaced = index < gap.after.size() && gap.after[index] != gap.before[index];
  return replaced ? page * page_positions : gap.first;
}

int64_t Slot(const std::vector<int32_t>& pages, int64_t position, int64_t page_positions) {
  return pages[static_cast<size_t>(position / page_positions)] * page_positions + position % page_positions;
}

void TurnBack(const float* cosines, const float* sines, int64_t heads, int64_t half, float* row) {
  for (int64_t h = 0; h < heads; ++h, row += 2 * half) {
    for (int64_t i = 0; i < half; ++i) {
      const float a = row[i];
      const float b = row[half + i];
      row[i] = a * cosines[i] + b * sines[i];
      row[half + i] = b * cosines[i] - a * sines[i];
    }
  }
}

// From the front: a row that is read has not been written over, for it stands behind all that were. Scratch
// comes first, so that nothing can fail halfway.
void CpuCloseGap(const SequenceGap& gap, const RotaryTable* rotary, at::Tensor* pool) {
  const int64_t page_positions = pool->size(1);
  const int64_t heads = pool->size(2);
  const int64_t width = HeadWidthOf(*pool);
  const KvFormat format = KvFormatOf(*pool);
  const AttentionLoops& loops = CpuAttentionLoops();
  const auto bytes = static_cast<size_t>(heads * KvRowBytes(format, width));
  std::vector<float> turned(static_cast<size_t>(heads * width));
  auto* const rows = static_cast<char*>(pool->data_ptr());
  const auto row = [&](const std::vector<int32_t>& pages, int64_t position) {
    return rows + static_cast<size_t>(Slot(pages, position, page_positions)) * bytes;
  };
  for (int64_t position = FirstWritten(gap, page_positions); position < gap.length - gap.rows; ++position) {
    const bool moves = position >= gap.first;
    char* const to = row(gap.after, position);
    const char* const from = row(gap.before, moves ? position + gap.rows : position);
    if (!moves || rotary == nullptr) {
      std::memmove(to, from, bytes);
      continue;
    }
    loops.read_rows(from, heads, width, format, turned.data());
    TurnBack(rotary->cosines.data_ptr<float>() + gap.rows * (width / 2),
             rotary->sines.data_ptr<float>() + gap.rows * (width / 2), heads, width / 2, turned.data());
    loops.write_rows(turned.data(), heads, width, format, to);
  }
}

void AtenCloseGap(const SequenceGap& gap, const RotaryTable* rotary, at::Tensor* pool) {
  const int64_t page_positions = pool->size(1);
  std::vector<int64_t> from, to;
  for (int64_t position = FirstWritten(gap, page_positions); position < gap.length - gap.rows; ++position) {
    const bool moves = position >= gap.first;
    from.push_back(Slot(gap.before, moves ? position + gap.rows : position, page_positions));
    to.push_back(Slot(gap.after, position, page_positions));
  }
  if (to.empty()) return;
  at::Tensor flat = pool->view({pool->size(0) * page_positions, pool->size(2), pool->size(3)});
  const auto index = [&](const std::vector<int64_t>& slots) {
    return at::tensor(slots, at::kLong).to(pool->device());
  };
  at::Tensor rows = flat.index_select(0, index(from));  // a copy
  const int64_t moving = gap.length - gap.rows - gap.first;
  if (rotary != nullptr && moving > 0) {
    const at::Tensor cosines = rotary->cosines[gap.rows];
    const at::Tensor sines = rotary->sines[gap.rows];
    at::Tensor moved = rows.narrow(0, rows.size(0) - moving, moving);
    const std::vector<at::Tensor> halves = FromKvRows(moved).chunk(2, -1);
    const at::Tensor turned =
        at::cat({halves[0] * cosines + halves[1] * sines, halves[1] * cosines - halves[0] * sines}, -1);
    moved.copy_(ToKvRows(turned, KvFormatOf(*pool)));
  }
  flat.index_copy_(0, index(to), rows);
}

}  // namespace

void CloseGap(const SequenceGap& gap, const RotaryTable* rotary, at::Tensor* pool) {
  CheckGap(gap, rotary, *pool);
  UseCpuLoops(*pool) ? CpuCloseGap(gap, rotary, pool) : AtenCloseGap(gap, rotary, pool);
}

}  // namespace antiphon
