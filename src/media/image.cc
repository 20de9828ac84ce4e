#include "media/image.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "media/image_formats.h"

namespace antiphon {
namespace {

struct Format {
  std::string_view media_type;
  std::string_view name;
  bool (*begins)(std::string_view bytes);
  Result<DecodedImage> (*decode)(std::string_view bytes, const ImageLimits& limits);
};

constexpr std::array<Format, 3> kFormats = {{
    {"image/png", "PNG", [](std::string_view b) { return b.starts_with("\x89PNG\r\n\x1a\n"); }, DecodePng},
    {"image/jpeg", "JPEG", [](std::string_view b) { return b.starts_with("\xff\xd8\xff"); }, DecodeJpeg},
    {"image/webp", "WebP",
     [](std::string_view b) { return b.starts_with("RIFF") && b.size() >= 12 && b.substr(8, 4) == "WEBP"; },
     DecodeWebp},
}};

// Along one axis: which inputs an output pixel covers, and how much of each.
struct Coverage {
  int first;
  std::vector<float> weights;  // sum 1
};

std::vector<Coverage> Coverages(int from, int to) {
  std::vector<Coverage> result;
  result.reserve(static_cast<size_t>(to));
  const double step = static_cast<double>(from) / to;
  for (int i = 0; i < to; ++i) {
    const double begin = i * step;
    const double end = std::min<double>(from, begin + step);
    Coverage coverage{.first = std::min(from - 1, static_cast<int>(begin)), .weights = {}};
    for (int at = coverage.first; at < from && (at < end || coverage.weights.empty()); ++at) {
      const double part = std::min<double>(at + 1, end) - std::max<double>(at, begin);
      coverage.weights.push_back(static_cast<float>(std::max(part, 0.0) / step));
    }
    result.push_back(std::move(coverage));
  }
  return result;
}

}  // namespace

Status CheckImageSize(int64_t width, int64_t height, const ImageLimits& limits) {
  if (width < 1 || height < 1) return DataLoss("the picture is empty");
  const std::string size = std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (width > limits.max_side || height > limits.max_side) {
    return OutOfRange("the picture is " + size + ", each side must be at most " +
                      std::to_string(limits.max_side));
  }
  if (width * height > limits.max_pixels) {
    return OutOfRange("the picture is " + size + ", together at most " + std::to_string(limits.max_pixels));
  }
  return OkStatus();
}

Status CheckWhole(const Image& image) {
  const bool sides =
      image.width > 0 && image.height > 0 && image.width <= kMostSide && image.height <= kMostSide;
  if (!sides ||
      image.rgb.size() != 3 * static_cast<size_t>(image.width) * static_cast<size_t>(image.height)) {
    return InvalidArgument("a picture of " + std::to_string(image.width) + " x " +
                           std::to_string(image.height) + " pixels and " + std::to_string(image.rgb.size()) +
                           " bytes; sides must be 1 to 65536, bytes 3 a pixel");
  }
  return OkStatus();
}

Result<Image> DecodeImage(std::string_view bytes, std::string_view media_type, const ImageLimits& limits) {
  const auto format = std::ranges::find(kFormats, media_type, &Format::media_type);
  if (format == kFormats.end()) {
    return InvalidArgument("media_type is \"" + std::string(media_type.substr(0, 64)) +
                           "\", must be image/png, image/jpeg or image/webp");
  }
  if (bytes.size() > limits.max_bytes) {
    return OutOfRange("the picture has " + std::to_string(bytes.size()) + " bytes, must be at most " +
                      std::to_string(limits.max_bytes));
  }
  if (!format->begins(bytes)) {
    const auto other = std::ranges::find_if(kFormats, [&](const Format& f) { return f.begins(bytes); });
    return InvalidArgument("media_type is " + std::string(media_type) + ", but the bytes are " +
                           (other == kFormats.end() ? "not" : std::string(other->name) + ", not") + " " +
                           std::string(format->name));
  }
  Result<DecodedImage> decoded = format->decode(bytes, limits);
  if (!decoded.ok()) return decoded.status();
  return Upright(std::move(decoded->image), decoded->orientation);
}

Result<Image> ResizeImage(const Image& image, int width, int height) {
  if (Status status = CheckWhole(image); !status.ok()) return status;
  if (width < 1 || height < 1 || width > kMostSide || height > kMostSide) {
    return InvalidArgument("sides must be 1 to 65536");
  }
  const std::vector<Coverage> across = Coverages(image.width, width);
  const std::vector<Coverage> down = Coverages(image.height, height);
  Image result{.width = width, .height = height, .rgb = {}};
  result.rgb.reserve(3 * static_cast<size_t>(width) * static_cast<size_t>(height));
  std::vector<float> row(3 * static_cast<size_t>(image.width));  // the rows that fall to one, added up
  for (const Coverage& rows : down) {
    std::ranges::fill(row, 0.0f);
    for (size_t r = 0; r < rows.weights.size(); ++r) {
      const uint8_t* source = image.rgb.data() + (static_cast<size_t>(rows.first) + r) * row.size();
      for (size_t i = 0; i < row.size(); ++i) row[i] += rows.weights[r] * static_cast<float>(source[i]);
    }
    for (const Coverage& columns : across) {
      std::array<float, 3> sum = {};
      for (size_t c = 0; c < columns.weights.size(); ++c) {
        const float* source = row.data() + 3 * (static_cast<size_t>(columns.first) + c);
        for (size_t channel = 0; channel < 3; ++channel) sum[channel] += columns.weights[c] * source[channel];
      }
      for (const float value : sum) {
        result.rgb.push_back(static_cast<uint8_t>(std::clamp(std::lround(value), 0L, 255L)));
      }
    }
  }
  return result;
}

}  // namespace antiphon
