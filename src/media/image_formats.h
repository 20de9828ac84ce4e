// One decoder a format. What they have in common is done by DecodeImage: size of the file, orientation.
#pragma once

#include <string>
#include <string_view>

#include "media/image.h"

namespace antiphon {

struct DecodedImage {
  Image image;
  int orientation = 1;  // of EXIF, 1 to 8
};

// As DecodeImage. REQUIRES: `bytes` begin with the signature of the format.
Result<DecodedImage> DecodePng(std::string_view bytes, const ImageLimits& limits);
Result<DecodedImage> DecodeJpeg(std::string_view bytes, const ImageLimits& limits);
Result<DecodedImage> DecodeWebp(std::string_view bytes, const ImageLimits& limits);

// OUT_OF_RANGE with the limit that a picture of this size is beyond.
Status CheckImageSize(int64_t width, int64_t height, const ImageLimits& limits);

// Of a picture in memory, which a caller may have made by hand.
constexpr int kMostSide = 65536;
// INVALID_ARGUMENT unless both sides are 1 to kMostSide and `rgb` fits them.
Status CheckWhole(const Image& image);

// The orientation that an EXIF block states, 1 if none. `exif` is a whole JPEG file, or a block with or
// without its "Exif" header.
int ExifOrientation(std::string_view exif);

// Turns and mirrors the pixels as `orientation` asks for (EXIF 2.3, section 4.6.4, tag 274).
Image Upright(Image image, int orientation);

}  // namespace antiphon
