#include "kernels/kv_rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>

#include <limits>

namespace antiphon {
namespace {

constexpr int64_t kScaleBytes = sizeof(float);

at::ScalarType TypeOf(KvFormat format) {
  switch (format) {
    case KvFormat::kFloat32:
      return at::kFloat;
    case KvFormat::kBfloat16:
      return at::kBFloat16;
    case KvFormat::kInt8:
      return at::kChar;
  }
  TORCH_CHECK(false, "no such form of keys and values");
}

}  // namespace

at::Tensor MakeKvPages(KvFormat format, int64_t pages, int64_t page_positions, int64_t kv_heads,
                       int64_t head_width, at::Device device) {
  TORCH_CHECK(pages > 0 && page_positions > 0 && kv_heads > 0 && head_width > 0, "MakeKvPages: ", pages,
              " pages of ", page_positions, " positions, ", kv_heads, " heads of ", head_width);
  const int64_t row = head_width + (format == KvFormat::kInt8 ? kScaleBytes : 0);
  return at::empty({pages, page_positions, kv_heads, row},
                   at::TensorOptions().dtype(TypeOf(format)).device(device));
}

KvFormat KvFormatOf(const at::Tensor& pages) {
  if (pages.scalar_type() == at::kFloat) return KvFormat::kFloat32;
  if (pages.scalar_type() == at::kBFloat16) return KvFormat::kBfloat16;
  TORCH_CHECK(pages.scalar_type() == at::kChar, "keys and values cannot be kept as ", pages.scalar_type());
  return KvFormat::kInt8;
}

int64_t HeadWidthOf(const at::Tensor& pages) {
  const int64_t width = pages.size(-1) - (KvFormatOf(pages) == KvFormat::kInt8 ? kScaleBytes : 0);
  TORCH_CHECK(width > 0, "a row of a page has no room for its scale");
  return width;
}

int64_t KvRowBytes(KvFormat format, int64_t head_width) {
  switch (format) {
    case KvFormat::kFloat32:
      return head_width * 4;
    case KvFormat::kBfloat16:
      return head_width * 2;
    case KvFormat::kInt8:
      return head_width + kScaleBytes;
  }
  TORCH_CHECK(false, "no such form of keys and values");
}

at::Tensor ToKvRows(const at::Tensor& x, KvFormat format) {
  if (format != KvFormat::kInt8) return x.to(TypeOf(format));
  const at::Tensor largest = x.abs().amax(-1, /*keepdim=*/true);
  const at::Tensor finite = x.isfinite().all(-1, /*keepdim=*/true);
  const at::Tensor steps = at::where(largest >= 1e-30, 127 / largest, 0 * largest);
  const at::Tensor bytes = at::where(finite, x * steps, 0 * steps).nan_to_num().round().to(at::kChar);
  at::Tensor scales = at::where(largest >= 1e-30, largest / 127, 0 * largest);
  scales = scales.masked_fill(finite.logical_not(), std::numeric_limits<float>::quiet_NaN());
  return at::cat({bytes, scales.contiguous().view(at::kChar)}, -1);
}

at::Tensor FromKvRows(const at::Tensor& rows) {
  if (KvFormatOf(rows) != KvFormat::kInt8) return rows.to(at::kFloat);
  const int64_t width = HeadWidthOf(rows);
  // A copy, so that it is aligned: of a single row narrow makes a view that counts as contiguous as it is.
  const at::Tensor scales =
      rows.narrow(-1, width, kScaleBytes).clone(at::MemoryFormat::Contiguous).view(at::kFloat);
  return rows.narrow(-1, 0, width).to(at::kFloat) * scales;
}

}  // namespace antiphon
