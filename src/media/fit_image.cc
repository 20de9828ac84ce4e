#include <algorithm>
#include <array>
#include <cmath>

#include "media/image.h"
#include "media/image_formats.h"

namespace antiphon {
namespace {

using Colour = std::array<uint8_t, 3>;

// Of the outermost pixels, each counted once.
Colour MeanBorder(const Image& image) {
  std::array<int64_t, 3> sum = {};
  int64_t count = 0;
  const auto add = [&](int row, int column) {
    const uint8_t* pixel =
        image.rgb.data() +
        3 * (static_cast<size_t>(row) * static_cast<size_t>(image.width) + static_cast<size_t>(column));
    for (size_t channel = 0; channel < 3; ++channel) sum[channel] += pixel[channel];
    ++count;
  };
  for (int row = 0; row < image.height; ++row) {
    const bool whole = row == 0 || row == image.height - 1;
    const int step = whole ? 1 : std::max(1, image.width - 1);
    for (int column = 0; column < image.width; column += step) add(row, column);
  }
  Colour mean = {};
  for (size_t channel = 0; channel < 3; ++channel) {
    mean[channel] = static_cast<uint8_t>((sum[channel] + count / 2) / count);
  }
  return mean;
}

// What becomes of a side when the longer one becomes `side`.
int Scaled(int length, int longest, int side) {
  return std::max(1, static_cast<int>(std::lround(static_cast<double>(length) * side / longest)));
}

}  // namespace

Result<Image> FitImage(const Image& image, int side) {
  if (Status status = CheckWhole(image); !status.ok()) return status;
  if (side < 1 || side > kMostSide) return InvalidArgument("the side must be 1 to 65536");
  const int longest = std::max(image.width, image.height);
  const Result<Image> inner =
      ResizeImage(image, Scaled(image.width, longest, side), Scaled(image.height, longest, side));
  if (!inner.ok()) return inner.status();
  const Colour around = MeanBorder(image);
  Image square{.width = side, .height = side, .rgb = {}};
  square.rgb.reserve(3 * static_cast<size_t>(side) * static_cast<size_t>(side));
  for (int pixel = 0; pixel < side * side; ++pixel) {
    square.rgb.insert(square.rgb.end(), around.begin(), around.end());
  }
  const int left = (side - inner->width) / 2;
  const int top = (side - inner->height) / 2;
  const std::ptrdiff_t line = 3 * inner->width;
  for (int row = 0; row < inner->height; ++row) {
    std::copy_n(inner->rgb.begin() + row * line, line,
                square.rgb.begin() + 3 * (static_cast<std::ptrdiff_t>(top + row) * side + left));
  }
  return square;
}

}  // namespace antiphon
