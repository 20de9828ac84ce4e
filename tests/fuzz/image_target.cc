#include <array>

#include "media/image.h"
#include "tests/fuzz/targets.h"

namespace antiphon::fuzz {

void DecodePicture(std::string_view bytes) {
  constexpr std::array<std::string_view, 3> kMediaTypes = {"image/png", "image/jpeg", "image/webp"};
  constexpr ImageLimits kLimits{.max_bytes = 1 << 20, .max_side = 1024, .max_pixels = 1 << 18};
  if (bytes.empty()) return;
  const size_t kind = static_cast<unsigned char>(bytes[0]) % kMediaTypes.size();
  const Result<Image> image = DecodeImage(bytes.substr(1), kMediaTypes[kind], kLimits);
  if (!image.ok()) return Promise(!image.status().message().empty());
  Promise(image->width >= 1 && image->height >= 1);
  Promise(image->width <= kLimits.max_side && image->height <= kLimits.max_side);
  const auto pixels = static_cast<size_t>(image->width) * static_cast<size_t>(image->height);
  Promise(pixels <= static_cast<size_t>(kLimits.max_pixels) && image->rgb.size() == 3 * pixels);
}

}  // namespace antiphon::fuzz
