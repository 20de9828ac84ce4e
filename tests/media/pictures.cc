#include "tests/media/pictures.h"

#include <gtest/gtest.h>
#include <webp/encode.h>
#include <zlib.h>

#include <cstring>

#include "media/image.h"

namespace antiphon {

Image Sample(int width, int height) {
  Image image{.width = width, .height = height, .rgb = {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.rgb.push_back(static_cast<uint8_t>(30 + 200 * x / width));
      image.rgb.push_back(static_cast<uint8_t>(20 + 180 * y / height));
      image.rgb.push_back(static_cast<uint8_t>(x < width / 2 ? 60 : 180));
    }
  }
  return image;
}

std::vector<uint8_t> WithAlpha(const Image& image, uint8_t alpha) {
  std::vector<uint8_t> rgba;
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    rgba.insert(rgba.end(), image.rgb.begin() + static_cast<std::ptrdiff_t>(i),
                image.rgb.begin() + static_cast<std::ptrdiff_t>(i) + 3);
    rgba.push_back(alpha);
  }
  return rgba;
}

std::string JpegOf(const Image& image, int pixel_format, int subsampling,
                   const std::vector<uint8_t>* pixels) {
  tjhandle handle = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int)
  EXPECT_EQ(tjCompress2(handle, pixels != nullptr ? pixels->data() : image.rgb.data(), image.width, 0,
                        image.height, pixel_format, &bytes, &size, subsampling, 95, 0),
            0)
      << tjGetErrorStr2(handle);
  std::string result(reinterpret_cast<char*>(bytes), size);
  tjFree(bytes);
  tjDestroy(handle);
  return result;
}

std::string CmykJpegOf(const Image& image) {
  const std::vector<uint8_t> inks = WithAlpha(image, 255);
  return JpegOf(image, TJPF_CMYK, TJSAMP_444, &inks);
}

std::string WebpOf(const Image& image, uint8_t alpha) {
  const std::vector<uint8_t> rgba = WithAlpha(image, alpha);
  uint8_t* bytes = nullptr;
  const size_t size = WebPEncodeLosslessRGBA(rgba.data(), image.width, image.height, 4 * image.width, &bytes);
  std::string result(reinterpret_cast<char*>(bytes), size);
  WebPFree(bytes);
  return result;
}

std::string PngOf(int width, int height, png_uint_32 format, const void* pixels) {
  png_image png;
  std::memset(&png, 0, sizeof png);
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = format;
  png_alloc_size_t size = 1 << 20;
  std::string bytes(size, '\0');
  EXPECT_NE(png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels, 0, nullptr), 0) << png.message;
  bytes.resize(size);
  return bytes;
}

std::string BigEndian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string Chunk(const std::string& kind, const std::string& content) {
  const std::string body = kind + content;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return BigEndian(static_cast<uint32_t>(content.size())) + body + BigEndian(static_cast<uint32_t>(sum));
}

std::string InsertIntoPng(const std::string& png, const std::string& chunk) {
  return png.substr(0, kHeadOfPng) + chunk + png.substr(kHeadOfPng);
}

std::string PngClaiming(uint32_t width, uint32_t height) {
  const std::string png = EncodePng(Sample()).value();
  return png.substr(0, 8) + Chunk("IHDR", BigEndian(width) + BigEndian(height) + png.substr(24, 5)) +
         png.substr(kHeadOfPng);
}

std::string AnimatedWebp() {
  // RIFF, WEBP, and an extended header with the animation flag.
  return std::string("RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0", 20) + std::string("\x02\0\0\0\x27\0\0\x17\0\0", 10);
}

}  // namespace antiphon
