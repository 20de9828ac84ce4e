// Pictures as they travel: PNG, JPEG and WebP in, PNG out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "antiphon/status.h"
#include "antiphon/types.h"

namespace antiphon {

// What a file may be. One outside the limits is refused from its header, before memory is taken for its
// pixels.
struct ImageLimits {
  size_t max_bytes = 8 * 1024 * 1024;
  int max_side = 8192;                    // pixels
  int64_t max_pixels = 24 * 1024 * 1024;  // width * height
};

// Reads a still picture. `media_type` is "image/png", "image/jpeg" or "image/webp" and must be what the bytes
// are. PNG of any depth and colour type, JPEG in grey, YCbCr, RGB, CMYK and YCCK; EXIF orientation is
// applied; what is transparent lies on white; colour profiles are ignored. Thread-safe. INVALID_ARGUMENT for
// another media type, for bytes that are not of it and for animations, OUT_OF_RANGE beyond `limits`,
// DATA_LOSS for a broken or truncated file.
Result<Image> DecodeImage(std::string_view bytes, std::string_view media_type,
                          const ImageLimits& limits = {});

// INVALID_ARGUMENT unless both sides are 1 to 65536 and `rgb` fits them.
Result<std::string> EncodePng(const Image& image);

// The picture as width x height pixels, each the mean of the area that falls to it. INVALID_ARGUMENT as for
// EncodePng.
Result<Image> ResizeImage(const Image& image, int width, int height);

// The whole picture as large as it fits into a square of `side` pixels, in its middle; around it the mean
// colour of its outermost pixels. INVALID_ARGUMENT as for ResizeImage.
Result<Image> FitImage(const Image& image, int side);

}  // namespace antiphon
