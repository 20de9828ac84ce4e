#include "bench/model_shapes.h"

namespace antiphon::bench {

int64_t ModelShape::multiplications() const {
  const int64_t attention = 2 * width * query_width() + 2 * width * kv_width();
  return layers * (attention + 3 * width * mlp_width) + width * vocabulary;
}

const std::map<std::string, ModelShape>& ModelShapes() {
  static const std::map<std::string, ModelShape> shapes = {
      {"wren", {8, 256, 4, 4, 64, 768, 2592}},
      {"b0.4", {24, 896, 14, 2, 64, 4864, 32000}},
      {"b1.2", {28, 1536, 12, 2, 128, 8960, 32000}},
  };
  return shapes;
}

}  // namespace antiphon::bench
