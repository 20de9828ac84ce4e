#include "client/image_file.h"

#include <fstream>
#include <string_view>
#include <utility>

#include "media/image.h"

namespace antiphon::client {
namespace {

// Those of the wire.
constexpr size_t kMaxBytes = 3 * 1024 * 1024;
constexpr int kMaxSide = 8192;

// Empty for bytes of another kind.
std::string_view MediaTypeOf(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG")) return "image/png";
  if (bytes.starts_with("\xff\xd8\xff")) return "image/jpeg";
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return "image/webp";
  return {};
}

}  // namespace

Result<ImageFile> ReadImageFile(const std::string& path, int64_t max_pixels) {
  std::ifstream file(path, std::ios::binary);
  ImageFile image;
  image.bytes.resize(kMaxBytes + 1);
  file.read(image.bytes.data(), static_cast<std::streamsize>(image.bytes.size()));
  if (!file.is_open() || file.bad()) return NotFound(path + " cannot be read");
  if (file.good()) return OutOfRange(path + " is larger than 3 MiB");
  image.bytes.resize(static_cast<size_t>(file.gcount()));
  image.media_type = MediaTypeOf(image.bytes);
  if (image.media_type.empty()) return InvalidArgument(path + " is no PNG, JPEG or WebP file");
  const Result<Image> decoded =
      DecodeImage(image.bytes, image.media_type,
                  {.max_bytes = kMaxBytes, .max_side = kMaxSide, .max_pixels = max_pixels});
  if (!decoded.ok()) return Status(decoded.status().code(), path + ": " + decoded.status().message());
  return image;
}

Status WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (file.fail()) return Unavailable(path + " cannot be written");
  return OkStatus();
}

}  // namespace antiphon::client
