#include "model/transformer_block.h"

#include "kernels/kv_rows.h"
#include "kernels/linear.h"
#include "kernels/paged_attention.h"

namespace antiphon {

BlockWeights ReadBlock(const std::string& prefix, const TransformerShape& shape, WeightReader* reader) {
  const int64_t query_width = shape.heads * shape.head_width;
  const int64_t kv_width = shape.kv_heads * shape.head_width;
  return {.attn_norm = reader->Vector(prefix + "attn_norm", shape.width),
          .wq = reader->Matrix(prefix + "wq", query_width, shape.width),
          .wk = reader->Matrix(prefix + "wk", kv_width, shape.width),
          .wv = reader->Matrix(prefix + "wv", kv_width, shape.width),
          .wo = reader->Matrix(prefix + "wo", shape.width, query_width),
          .mlp_norm = reader->Vector(prefix + "mlp_norm", shape.width),
          .w_gate = reader->Matrix(prefix + "w_gate", shape.mlp_width, shape.width),
          .w_up = reader->Matrix(prefix + "w_up", shape.mlp_width, shape.width),
          .w_down = reader->Matrix(prefix + "w_down", shape.width, shape.mlp_width)};
}

void RunBlock(const BlockWeights& weights, const TransformerShape& shape, const BlockRows& rows,
              at::Tensor* keys, at::Tensor* values, at::Tensor* x) {
  const int64_t n = x->size(0);
  at::Tensor normed = RmsNorm(*x, weights.attn_norm, shape.norm_eps);
  const std::vector<at::Tensor> qkv = LinearEach(normed, {&weights.wq, &weights.wk, &weights.wv});
  at::Tensor q = qkv[0].view({n, shape.heads, shape.head_width});
  at::Tensor k = qkv[1].view({n, shape.kv_heads, shape.head_width});
  const at::Tensor v = qkv[2].view({n, shape.kv_heads, shape.head_width});
  if (rows.rotary != nullptr) {
    Rotate(*rows.rotary, rows.positions, &q);
    Rotate(*rows.rotary, rows.positions, &k);
  }
  WritePages(k, rows.spans, keys);
  WritePages(v, rows.spans, values);
  AddLinear(PagedAttention(q, *keys, *values, rows.spans), weights.wo, x);

  normed = RmsNorm(*x, weights.mlp_norm, shape.norm_eps);
  const std::vector<at::Tensor> gated = LinearEach(normed, {&weights.w_gate, &weights.w_up});
  AddLinear(SwiGlu(gated[0], gated[1]), weights.w_down, x);
}

at::Tensor MakePages(const TransformerShape& shape, int64_t pages, int64_t page_positions, at::Device device,
                     KvFormat format) {
  return MakeKvPages(format, pages, page_positions, shape.kv_heads, shape.head_width, device);
}

}  // namespace antiphon
