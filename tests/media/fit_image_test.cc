// Pictures of any shape in a square.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "media/image.h"

namespace antiphon {
namespace {

Image Plain(int width, int height, std::array<uint8_t, 3> colour) {
  Image image{.width = width, .height = height, .rgb = {}};
  for (int i = 0; i < width * height; ++i) image.rgb.insert(image.rgb.end(), colour.begin(), colour.end());
  return image;
}

std::vector<uint8_t> Pixel(const Image& image, int column, int row) {
  const auto at = image.rgb.begin() + 3 * (row * image.width + column);
  return {at, at + 3};
}

void Paint(Image& image, int column, int row, std::array<uint8_t, 3> colour) {
  std::copy(colour.begin(), colour.end(), image.rgb.begin() + 3 * (row * image.width + column));
}

TEST(FitImageTest, ASquareIsOnlyResized) {
  Image image = Plain(16, 16, {10, 20, 30});
  Paint(image, 3, 5, {200, 100, 0});
  EXPECT_EQ(FitImage(image, 16).value(), image);
  EXPECT_EQ(FitImage(image, 8).value(), ResizeImage(image, 8, 8).value());
  EXPECT_EQ(FitImage(image, 40).value(), ResizeImage(image, 40, 40).value());
}

TEST(FitImageTest, AWidePictureLiesInTheMiddleOnItsEdgesColour) {
  Image image = Plain(4, 2, {100, 100, 100});  // all eight pixels are outermost
  Paint(image, 0, 0, {180, 20, 100});
  const Image fitted = FitImage(image, 4).value();
  ASSERT_EQ(fitted.width, 4);
  ASSERT_EQ(fitted.height, 4);
  const std::vector<uint8_t> around = {110, 90, 100};
  for (int column = 0; column < 4; ++column) {
    EXPECT_EQ(Pixel(fitted, column, 0), around);
    EXPECT_EQ(Pixel(fitted, column, 3), around);
  }
  EXPECT_EQ(Pixel(fitted, 0, 1), (std::vector<uint8_t>{180, 20, 100}));
  EXPECT_EQ(Pixel(fitted, 3, 2), (std::vector<uint8_t>{100, 100, 100}));
}

TEST(FitImageTest, OnlyTheOutermostPixelsMakeTheColourAround) {
  Image image = Plain(3, 9, {50, 60, 70});
  for (int row = 1; row < 8; ++row) Paint(image, 1, row, {255, 255, 255});
  const Image fitted = FitImage(image, 9).value();
  EXPECT_EQ(Pixel(fitted, 0, 4), (std::vector<uint8_t>{50, 60, 70}));
  EXPECT_EQ(Pixel(fitted, 8, 0), (std::vector<uint8_t>{50, 60, 70}));
  EXPECT_EQ(Pixel(fitted, 4, 4), (std::vector<uint8_t>{255, 255, 255}));
}

TEST(FitImageTest, ALineKeepsAPixelOfWidth) {
  const Image fitted = FitImage(Plain(1, 5000, {9, 8, 7}), 64).value();
  EXPECT_EQ(fitted, Plain(64, 64, {9, 8, 7}));
  EXPECT_EQ(FitImage(Plain(1, 1, {1, 2, 3}), 8).value(), Plain(8, 8, {1, 2, 3}));
}

TEST(FitImageTest, WhatIsNoPictureIsRefused) {
  const Image bad[] = {{},
                       {.width = 2, .height = 2, .rgb = {1, 2, 3}},
                       {.width = -1, .height = 4, .rgb = {}},
                       {.width = 70000, .height = 1, .rgb = std::vector<uint8_t>(210000)}};
  for (const Image& image : bad) {
    EXPECT_EQ(FitImage(image, 8).status().code(), StatusCode::kInvalidArgument) << image.width;
  }
  EXPECT_EQ(FitImage(Plain(2, 2, {}), 0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(FitImage(Plain(2, 2, {}), 65537).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace antiphon
