#include "kernels/paged_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/kv_rows.h"
#include "kernels/paged_attention_cpu.h"

namespace antiphon {
namespace {

// Everything that follows indexes the pool without further checks.
void CheckSpans(const std::vector<SequenceSpan>& spans, const at::Tensor& pool, int64_t rows) {
  const int64_t page_positions = pool.size(1);
  int64_t covered = 0;
  for (const SequenceSpan& span : spans) {
    // Else there were rows that nobody writes, or two threads do.
    TORCH_CHECK(span.rows == 0 || span.first_row == covered, "spans leave out rows or share some");
    covered += span.rows;
    TORCH_CHECK(
        span.first_row >= 0 && span.rows >= 0 && span.first_row + span.rows <= rows && span.context >= 0,
        "a span lies outside the batch");
    TORCH_CHECK(static_cast<int64_t>(span.pages.size()) * page_positions >= span.context + span.rows,
                "a page table is too short");
    for (const int32_t page : span.pages) {
      TORCH_CHECK(page >= 0 && page < pool.size(0), "page ", page, " is not in the pool");
    }
  }
  TORCH_CHECK(covered == rows, "spans leave out rows");
}

// Index of each of the span's first `count` positions in the pool seen as [pages * page_positions, ...].
at::Tensor Slots(const SequenceSpan& span, int64_t count, const at::Tensor& pool) {
  const int64_t page_positions = pool.size(1);
  const at::Tensor pages = at::tensor(span.pages, at::kInt).to(pool.device(), at::kLong);
  const at::Tensor within = at::arange(page_positions, pages.options());
  return (pages.unsqueeze(1) * page_positions + within).flatten().narrow(0, 0, count);
}

at::Tensor Flat(const at::Tensor& pool) {
  return pool.view({pool.size(0) * pool.size(1), pool.size(2), pool.size(3)});
}

at::Tensor AtenAttention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                         const std::vector<SequenceSpan>& spans) {
  const int64_t heads = queries.size(1);
  const int64_t width = queries.size(2);
  const int64_t group = heads / keys.size(2);
  at::Tensor out = at::empty({queries.size(0), heads * width}, queries.options());
  for (const SequenceSpan& span : spans) {
    const int64_t length = span.context + span.rows;
    const at::Tensor slots = Slots(span, length, keys);
    const auto gather = [&](const at::Tensor& pool) {  // [heads, length, width]
      const at::Tensor rows = FromKvRows(Flat(pool).index_select(0, slots));
      return rows.repeat_interleave(group, 1).transpose(0, 1);
    };
    const at::Tensor q = queries.narrow(0, span.first_row, span.rows).transpose(0, 1);
    at::Tensor scores = at::matmul(q, gather(keys).transpose(1, 2)) / std::sqrt(static_cast<double>(width));
    const at::Tensor positions = at::arange(length, slots.options());
    const at::Tensor own = positions.narrow(0, span.context, span.rows).unsqueeze(1);
    scores = scores.masked_fill(positions.unsqueeze(0) > own, -INFINITY);
    const at::Tensor mixed = at::matmul(scores.softmax(-1), gather(values));  // [heads, rows, width]
    out.narrow(0, span.first_row, span.rows).copy_(mixed.transpose(0, 1).reshape({span.rows, heads * width}));
  }
  return out;
}

}  // namespace

void WritePages(const at::Tensor& rows, const std::vector<SequenceSpan>& spans, at::Tensor* pool) {
  CheckSpans(spans, *pool, rows.size(0));
  TORCH_CHECK(rows.size(1) == pool->size(2) && rows.size(2) == HeadWidthOf(*pool),
              "WritePages: shapes disagree");
  if (UseCpuLoops(rows)) return CpuWritePages(rows, spans, pool);
  const KvFormat format = KvFormatOf(*pool);
  for (const SequenceSpan& span : spans) {
    const at::Tensor slots = Slots(span, span.context + span.rows, *pool).narrow(0, span.context, span.rows);
    Flat(*pool).index_copy_(0, slots, ToKvRows(rows.narrow(0, span.first_row, span.rows), format));
  }
}

at::Tensor PagedAttention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                          const std::vector<SequenceSpan>& spans) {
  CheckSpans(spans, keys, queries.size(0));
  TORCH_CHECK(keys.sizes() == values.sizes() && keys.scalar_type() == values.scalar_type() &&
                  queries.size(2) == HeadWidthOf(keys) && queries.size(1) % keys.size(2) == 0,
              "PagedAttention: shapes disagree");
  return UseCpuLoops(queries) ? CpuPagedAttention(queries, keys, values, spans)
                              : AtenAttention(queries, keys, values, spans);
}

}  // namespace antiphon
