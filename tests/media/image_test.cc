#include "media/image.h"

#include <gtest/gtest.h>
#include <png.h>
#include <turbojpeg.h>

#include <cmath>
#include <random>

#include "media/image_formats.h"
#include "tests/media/pictures.h"

namespace antiphon {
namespace {

double MeanDifference(const Image& a, const Image& b) {
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  if (a.rgb.size() != b.rgb.size()) return 255.0;
  double sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

// A TIFF block that states nothing but the orientation, little-endian.
std::string TiffStating(int orientation) {
  const char value = static_cast<char>(orientation);
  return std::string("II*\0\x08\0\0\0", 8) + std::string("\x01\0", 2) +
         std::string("\x12\x01\x03\0\x01\0\0\0", 8) + value + std::string("\0\0\0", 3) +
         std::string("\0\0\0\0", 4);
}

std::string JpegStating(const Image& image, int orientation) {
  const std::string jpeg = JpegOf(image, TJPF_RGB, TJSAMP_444);
  const std::string exif = std::string("Exif\0\0", 6) + TiffStating(orientation);
  const size_t length = exif.size() + 2;
  return jpeg.substr(0, 2) + "\xff\xe1" + static_cast<char>(length >> 8) + static_cast<char>(length) + exif +
         jpeg.substr(2);
}

StatusCode CodeOf(const std::string& bytes, const std::string& media_type, const ImageLimits& limits = {}) {
  return DecodeImage(bytes, media_type, limits).status().code();
}

TEST(ImageTest, PngComesBackExactly) {
  for (const auto& [width, height] : {std::pair{1, 1}, {40, 24}, {7, 301}}) {
    const Image image = Sample(width, height);
    const Result<Image> back = DecodeImage(EncodePng(image).value(), "image/png");
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_EQ(*back, image);
  }
}

TEST(ImageTest, PngOfOtherDepthsAndColourTypes) {
  std::vector<uint8_t> grey(40 * 24, 90);
  Result<Image> image = DecodeImage(PngOf(40, 24, PNG_FORMAT_GRAY, grey.data()), "image/png");
  ASSERT_TRUE(image.ok()) << image.status().ToString();
  EXPECT_EQ(image->rgb, std::vector<uint8_t>(3 * 40 * 24, 90));
  std::vector<uint16_t> deep(3 * 40 * 24, 65535);  // 16 bits, linear
  image = DecodeImage(PngOf(40, 24, PNG_FORMAT_LINEAR_RGB, deep.data()), "image/png");
  ASSERT_TRUE(image.ok()) << image.status().ToString();
  EXPECT_EQ(image->rgb, std::vector<uint8_t>(3 * 40 * 24, 255));
}

TEST(ImageTest, WhatIsTransparentLiesOnWhite) {
  const Image image = Sample();
  const Image white{.width = 40, .height = 24, .rgb = std::vector<uint8_t>(3 * 40 * 24, 255)};
  const std::vector<uint8_t> clear = WithAlpha(image, 0);
  EXPECT_EQ(DecodeImage(PngOf(40, 24, PNG_FORMAT_RGBA, clear.data()), "image/png").value(), white);
  EXPECT_EQ(DecodeImage(WebpOf(image, 0), "image/webp").value(), white);
  const Image half = DecodeImage(WebpOf(image, 128), "image/webp").value();
  for (size_t i = 0; i < half.rgb.size(); ++i) ASSERT_NEAR(half.rgb[i], 255 - (255 - image.rgb[i]) / 2.0, 2);
}

TEST(ImageTest, JpegInItsColourSpaces) {
  const Image image = Sample();
  Result<Image> back = DecodeImage(JpegOf(image), "image/jpeg");
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_LT(MeanDifference(*back, image), 6.0);
  back = DecodeImage(JpegOf(image, TJPF_RGB, TJSAMP_GRAY), "image/jpeg");
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->rgb[0], back->rgb[1]);
  back = DecodeImage(CmykJpegOf(image), "image/jpeg");
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_LT(MeanDifference(*back, image), 6.0);
}

TEST(ImageTest, WebpComesBackExactly) {
  EXPECT_EQ(DecodeImage(WebpOf(Sample()), "image/webp").value(), Sample());
}

TEST(ImageTest, OrientationIsApplied) {
  const Image image = Sample(32, 16);
  // What a camera stores for each orientation so that the upright picture is `image`: the inverse of Upright.
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const int inverse = orientation == 6 ? 8 : orientation == 8 ? 6 : orientation;
    const Image stored = Upright(image, inverse);
    const Result<Image> jpeg = DecodeImage(JpegStating(stored, orientation), "image/jpeg");
    ASSERT_TRUE(jpeg.ok()) << jpeg.status().ToString();
    EXPECT_LT(MeanDifference(*jpeg, image), 6.0) << orientation;
    const std::string png = InsertIntoPng(EncodePng(stored).value(), Chunk("eXIf", TiffStating(orientation)));
    EXPECT_EQ(DecodeImage(png, "image/png").value(), image) << orientation;
  }
}

// Of the tag's definition: 6 means that the first row stored is the right side of the picture.
TEST(ImageTest, OrientationSixTurnsToTheRight) {
  const Image stored{.width = 2, .height = 1, .rgb = {255, 0, 0, 0, 0, 255}};
  const Image upright{.width = 1, .height = 2, .rgb = {255, 0, 0, 0, 0, 255}};
  EXPECT_EQ(Upright(stored, 6), upright);
  const Image down{.width = 1, .height = 2, .rgb = {0, 0, 255, 255, 0, 0}};
  EXPECT_EQ(Upright(stored, 8), down);
}

TEST(ImageTest, SizesBeyondTheLimitsAreRefusedByTheHeader) {
  EXPECT_EQ(CodeOf(PngClaiming(50000, 50000), "image/png"), StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(PngClaiming(1, 100000), "image/png"), StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(PngClaiming(8192, 8192), "image/png"), StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(PngClaiming(0, 10), "image/png"), StatusCode::kDataLoss);
  const ImageLimits small{.max_bytes = 1 << 20, .max_side = 39, .max_pixels = 1 << 20};
  for (const auto& [bytes, type] : {std::pair{EncodePng(Sample()).value(), "image/png"},
                                    {JpegOf(Sample()), "image/jpeg"},
                                    {WebpOf(Sample()), "image/webp"}}) {
    const Result<Image> refused = DecodeImage(bytes, type, small);
    EXPECT_EQ(refused.status().code(), StatusCode::kOutOfRange);
    EXPECT_NE(refused.status().message().find("at most 39"), std::string::npos) << refused.status().message();
    EXPECT_EQ(CodeOf(bytes, type, {.max_bytes = 20}), StatusCode::kOutOfRange);
    EXPECT_EQ(CodeOf(bytes, type, {.max_pixels = 40 * 24 - 1}), StatusCode::kOutOfRange);
    EXPECT_EQ(CodeOf(bytes, type, {.max_pixels = 40 * 24}), StatusCode::kOk);
  }
}

TEST(ImageTest, TheMediaTypeMustBeKnownAndTrue) {
  const std::string png = EncodePng(Sample()).value();
  for (const char* type : {"image/gif", "", "png", "IMAGE/PNG"}) {
    EXPECT_EQ(CodeOf(png, type), StatusCode::kInvalidArgument) << type;
  }
  const Result<Image> wrong = DecodeImage(png, "image/jpeg");
  EXPECT_EQ(wrong.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(wrong.status().message().find("PNG"), std::string::npos) << wrong.status().message();
  EXPECT_EQ(CodeOf("", "image/webp"), StatusCode::kInvalidArgument);
}

TEST(ImageTest, AnimationsAreRefused) {
  const std::string png =
      InsertIntoPng(EncodePng(Sample()).value(), Chunk("acTL", BigEndian(2) + BigEndian(0)));
  EXPECT_EQ(DecodeImage(png, "image/png").status().message(), "the PNG file is an animation");
  EXPECT_EQ(DecodeImage(AnimatedWebp(), "image/webp").status().message(), "the WebP file is an animation");
}

TEST(ImageTest, TruncatedFilesAreBroken) {
  for (const auto& [bytes, type] : {std::pair{EncodePng(Sample()).value(), "image/png"},
                                    {JpegOf(Sample()), "image/jpeg"},
                                    {WebpOf(Sample()), "image/webp"}}) {
    for (const double share : {0.3, 0.6, 0.9}) {
      const auto size = static_cast<size_t>(share * static_cast<double>(bytes.size()));
      EXPECT_EQ(CodeOf(bytes.substr(0, size), type), StatusCode::kDataLoss) << type << " " << share;
    }
  }
}

// Whatever the bytes are, the answer is a picture within the limits or a status.
TEST(ImageTest, DamagedFilesNeverHurt) {
  std::mt19937 random(7);
  for (const auto& [bytes, type] :
       {std::pair{InsertIntoPng(EncodePng(Sample()).value(), Chunk("eXIf", TiffStating(6))), "image/png"},
        {JpegStating(Sample(), 5), "image/jpeg"},
        {WebpOf(Sample(), 100), "image/webp"}}) {
    for (int round = 0; round < 400; ++round) {
      std::string damaged = bytes;
      for (int n = 0; n < 1 + round % 8; ++n) {
        damaged[12 + random() % (damaged.size() - 12)] = static_cast<char>(random());
      }
      const Result<Image> image = DecodeImage(damaged, type, {.max_side = 512, .max_pixels = 1 << 16});
      EXPECT_TRUE(!image.ok() || image->rgb.size() <= 3u << 16);
    }
  }
}

TEST(ImageTest, ResizedPixelsAreMeansOfAreas) {
  const Image image{.width = 4, .height = 2, .rgb = {0,  0, 0, 10, 0, 0, 20, 0, 0, 30, 0, 0,
                                                     40, 0, 0, 50, 0, 0, 60, 0, 0, 70, 0, 0}};
  const Image half = ResizeImage(image, 2, 1).value();
  EXPECT_EQ(half.rgb, (std::vector<uint8_t>{25, 0, 0, 45, 0, 0}));
  EXPECT_EQ(ResizeImage(image, 4, 2).value(), image);
  const Image twice = ResizeImage(image, 8, 4).value();
  EXPECT_EQ(twice.rgb[3 * 1], 0);
  EXPECT_EQ(twice.rgb[3 * 7], 30);
  const Image third = ResizeImage(image, 3, 1).value();  // 4/3 of a column each
  EXPECT_NEAR(third.rgb[0], (0 + 40) / 2.0 * 0.75 + (10 + 50) / 2.0 * 0.25, 1);
  EXPECT_EQ(ResizeImage(Sample(1, 5000), 64, 64).value().rgb.size(), 3u * 64 * 64);
}

TEST(ImageTest, SidesThatCannotBeAreRefused) {
  EXPECT_EQ(EncodePng({}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(EncodePng({.width = 2, .height = 2, .rgb = {1, 2, 3}}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(ResizeImage(Sample(), 0, 5).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ResizeImage(Sample(), 5, 65537).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace antiphon
