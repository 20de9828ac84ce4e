// The shapes of transformer that benchmarks know by name.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace antiphon::bench {

// A decoder-only transformer with grouped queries and SwiGLU; embedding and head are two matrices.
struct ModelShape {
  int64_t layers = 0;
  int64_t width = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_width = 0;
  int64_t mlp_width = 0;
  int64_t vocabulary = 0;

  int64_t query_width() const { return heads * head_width; }
  int64_t kv_width() const { return kv_heads * head_width; }
  // Multiplications of one position without attention: the numbers in the layers' matrices and the head.
  int64_t multiplications() const;
};

// `wren`: the backbone of models/wren. `b0.4` and `b1.2`: the layers of Qwen2's 0.5B and 1.5B.
const std::map<std::string, ModelShape>& ModelShapes();

}  // namespace antiphon::bench
