#include <libexif/exif-data.h>

#include <memory>

#include "media/image_formats.h"

namespace antiphon {
namespace {

struct Unref {
  void operator()(ExifData* data) const { exif_data_unref(data); }
};

}  // namespace

int ExifOrientation(std::string_view exif) {
  constexpr size_t kMostExifBytes = 1024 * 1024;
  constexpr std::string_view kHeader("Exif\0\0", 6);
  std::string block(exif.substr(0, kMostExifBytes));
  // Of a JPEG file libexif finds the block by itself; a bare one needs its header.
  if (!block.starts_with(kHeader) && !block.starts_with("\xff\xd8")) block.insert(0, kHeader);
  const std::unique_ptr<ExifData, Unref> data(exif_data_new_from_data(
      reinterpret_cast<const unsigned char*>(block.data()), static_cast<unsigned int>(block.size())));
  if (data == nullptr) return 1;
  const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  const int orientation = exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

Image Upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool swaps = orientation >= 5;  // rows become columns
  const int width = swaps ? image.height : image.width;
  const int height = swaps ? image.width : image.height;
  Image result{.width = width, .height = height, .rgb = std::vector<uint8_t>(image.rgb.size())};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      // Where the pixel lies in what is stored: the tag names the side of the picture that its first row and
      // first column are.
      int column = swaps ? y : x;
      int row = swaps ? x : y;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) {
        column = image.width - 1 - column;
      }
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) {
        row = image.height - 1 - row;
      }
      const size_t from =
          3 * (static_cast<size_t>(row) * static_cast<size_t>(image.width) + static_cast<size_t>(column));
      const size_t to = 3 * (static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x));
      for (size_t channel = 0; channel < 3; ++channel) result.rgb[to + channel] = image.rgb[from + channel];
    }
  }
  return result;
}

}  // namespace antiphon
