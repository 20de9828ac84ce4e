#include <png.h>

#include <cstring>

#include "media/image_formats.h"

namespace antiphon {
namespace {

// The simplified interface reports errors by value: no longjmp over C++ frames.
class PngImage {
 public:
  PngImage() {
    std::memset(&image_, 0, sizeof image_);
    image_.version = PNG_IMAGE_VERSION;
  }
  ~PngImage() { png_image_free(&image_); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;

  png_image* operator->() { return &image_; }
  png_image* get() { return &image_; }
  Status Failure() const { return DataLoss(std::string("the PNG file is broken: ") + image_.message); }

 private:
  png_image image_;
};

uint32_t BigEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

// The contents of the first chunk of a kind before the pixels; empty if there is none.
std::string_view FindChunk(std::string_view bytes, std::string_view kind) {
  constexpr size_t kSignature = 8, kHead = 8, kChecksum = 4;
  for (size_t at = kSignature; at + kHead <= bytes.size();) {
    const size_t length = BigEndian(bytes.substr(at));
    const std::string_view found = bytes.substr(at + 4, 4);
    if (found == "IDAT" || length > bytes.size() - at - kHead) break;
    if (found == kind) return bytes.substr(at + kHead, length);
    at += kHead + length + kChecksum;
  }
  return {};
}

}  // namespace

Result<DecodedImage> DecodePng(std::string_view bytes, const ImageLimits& limits) {
  if (!FindChunk(bytes, "acTL").empty()) return InvalidArgument("the PNG file is an animation");
  PngImage png;
  if (png_image_begin_read_from_memory(png.get(), bytes.data(), bytes.size()) == 0) return png.Failure();
  if (Status status = CheckImageSize(png->width, png->height, limits); !status.ok()) return status;
  png->format = PNG_FORMAT_RGB;
  DecodedImage decoded{.image = {.width = static_cast<int>(png->width),
                                 .height = static_cast<int>(png->height),
                                 .rgb = std::vector<uint8_t>(PNG_IMAGE_SIZE(*png.get()))}};
  const png_color white{.red = 255, .green = 255, .blue = 255};
  if (png_image_finish_read(png.get(), &white, decoded.image.rgb.data(), 0, nullptr) == 0)
    return png.Failure();
  const std::string_view exif = FindChunk(bytes, "eXIf");
  if (!exif.empty()) decoded.orientation = ExifOrientation(exif);
  return decoded;
}

Result<std::string> EncodePng(const Image& image) {
  if (Status status = CheckWhole(image); !status.ok()) return status;
  PngImage png;
  png->width = static_cast<png_uint_32>(image.width);
  png->height = static_cast<png_uint_32>(image.height);
  png->format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  const auto write = [&](char* to) {
    return png_image_write_to_memory(png.get(), to, &size, 0, image.rgb.data(), 0, nullptr) != 0;
  };
  std::string bytes;
  if (write(nullptr)) {
    bytes.resize(size);
    if (write(bytes.data())) {
      bytes.resize(size);
      return bytes;
    }
  }
  return Internal(std::string("writing PNG: ") + png->message);
}

}  // namespace antiphon
