// Pictures for tests, and files of every kind made of them.
#pragma once

#include <png.h>
#include <turbojpeg.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "antiphon/types.h"

namespace antiphon {

// A smooth picture that is different in every corner.
Image Sample(int width = 40, int height = 24);

// The pixels with an alpha, or a fourth ink, behind each.
std::vector<uint8_t> WithAlpha(const Image& image, uint8_t alpha);

// `pixels` of `pixel_format` (TJPF_*) instead of the image's own, if not null.
std::string JpegOf(const Image& image, int pixel_format = TJPF_RGB, int subsampling = TJSAMP_420,
                   const std::vector<uint8_t>* pixels = nullptr);
// CMYK as Adobe writes it: all inverted; with full black ink's inverse the colours are the picture's own.
std::string CmykJpegOf(const Image& image);
std::string WebpOf(const Image& image, uint8_t alpha = 255);
// With the simplified interface of libpng, in one of its formats.
std::string PngOf(int width, int height, png_uint_32 format, const void* pixels);

// Pieces of a PNG file.
std::string BigEndian(uint32_t value);
std::string Chunk(const std::string& kind, const std::string& content);
constexpr size_t kHeadOfPng = 8 + 25;  // signature and IHDR
std::string InsertIntoPng(const std::string& png, const std::string& chunk);

// A picture whose header claims another size.
std::string PngClaiming(uint32_t width, uint32_t height);
// The head of an animation of 40 x 24 pixels.
std::string AnimatedWebp();

}  // namespace antiphon
