#include "conversation/image_input.h"

#include <gtest/gtest.h>

#include "media/image.h"
#include "tests/media/pictures.h"

namespace antiphon {
namespace {

using client_event::ImageAppend;

Image Taken(const ImageAppend& append) {
  auto taken = DecodeImageAppend(append);
  if (const auto* refusal = std::get_if<Refusal>(&taken)) {
    ADD_FAILURE() << refusal->field << ": " << refusal->status.ToString();
    return {};
  }
  return std::get<Image>(std::move(taken));
}

TEST(ImageInputTest, TakesFilesAndPixels) {
  const Image image = Sample();
  EXPECT_EQ(Taken({EncodePng(image).value(), "image/png"}), image);
  EXPECT_EQ(Taken({EncodePng(image).value(), "image/png", 7, 100'000}), image)
      << "files state their own size";
  EXPECT_EQ(Taken({WebpOf(image), "image/webp"}), image);
  EXPECT_EQ(Taken({JpegOf(image), "image/jpeg"}).width, image.width);
  EXPECT_EQ(Taken({CmykJpegOf(image), "image/jpeg"}).height, image.height);
  const std::vector<uint16_t> deep(3 * 40 * 24, 65535);
  EXPECT_EQ(Taken({PngOf(40, 24, PNG_FORMAT_LINEAR_RGB, deep.data()), "image/png"}).rgb[0], 255);
  EXPECT_EQ(Taken({{image.rgb.begin(), image.rgb.end()}, "image/x-rgb", 40, 24}), image);
}

struct Mistake {
  const char* what;
  ImageAppend append;
  StatusCode code;
  const char* field;
};

TEST(ImageInputTest, NamesEveryMistake) {
  const std::string png = EncodePng(Sample()).value();
  const Mistake mistakes[] = {
      {"nothing", {}, StatusCode::kInvalidArgument, "media_type"},
      {"no data", {"", "image/png"}, StatusCode::kInvalidArgument, "data"},
      {"unknown type", {png, "image/gif"}, StatusCode::kInvalidArgument, "media_type"},
      {"a long type", {png, std::string(100'000, 'x')}, StatusCode::kInvalidArgument, "media_type"},
      {"another type", {png, "image/jpeg"}, StatusCode::kInvalidArgument, "data"},
      {"truncated", {png.substr(0, png.size() / 2), "image/png"}, StatusCode::kDataLoss, "data"},
      {"animated", {AnimatedWebp(), "image/webp"}, StatusCode::kInvalidArgument, "data"},
      {"tall", {PngClaiming(1, 100'000), "image/png"}, StatusCode::kOutOfRange, "data"},
      {"huge", {PngClaiming(50'000, 50'000), "image/png"}, StatusCode::kOutOfRange, "data"},
      {"over 16 Mi pixels", {PngClaiming(8192, 2049), "image/png"}, StatusCode::kOutOfRange, "data"},
      {"over 3 MiB", {std::string(3 * 1024 * 1024 + 1, 'x'), "image/png"}, StatusCode::kOutOfRange, "data"},
      {"pixels over 3 MiB",
       {std::string(3 * 1024 * 1025, 'x'), "image/x-rgb", 1024, 1025},
       StatusCode::kOutOfRange,
       "data"},
      {"no width", {"abc", "image/x-rgb", 0, 1}, StatusCode::kOutOfRange, "width"},
      {"wide", {"abc", "image/x-rgb", UINT32_MAX, 1}, StatusCode::kOutOfRange, "width"},
      {"no height", {"abc", "image/x-rgb", 1, 0}, StatusCode::kOutOfRange, "height"},
      {"high", {"abc", "image/x-rgb", 1, 8193}, StatusCode::kOutOfRange, "height"},
      {"wrong size", {"abcd", "image/x-rgb", 1, 1}, StatusCode::kInvalidArgument, "data"},
      {"far too little", {"abc", "image/x-rgb", 8192, 8192}, StatusCode::kInvalidArgument, "data"},
  };
  for (const Mistake& mistake : mistakes) {
    SCOPED_TRACE(mistake.what);
    const auto taken = DecodeImageAppend(mistake.append);
    const auto* refusal = std::get_if<Refusal>(&taken);
    ASSERT_NE(refusal, nullptr);
    EXPECT_EQ(refusal->status.code(), mistake.code) << refusal->status.ToString();
    EXPECT_EQ(refusal->field, std::string("image_append.") + mistake.field);
    EXPECT_LT(refusal->status.message().size(), 300u);
  }
}

// The same rules and another name; and of pixels there may be fewer.
TEST(ImageInputTest, VideoFramesAreTakenLikewise) {
  const auto refused = [](client_event::ImageAppend picture) {
    const auto taken = DecodeVideoFrame({std::move(picture)});
    const auto* refusal = std::get_if<Refusal>(&taken);
    return refusal == nullptr ? std::string()
                              : std::string(StatusCodeName(refusal->status.code())) + " " + refusal->field;
  };
  const std::string png = EncodePng(Sample()).value();
  EXPECT_EQ(refused({png, "image/png"}), "");
  EXPECT_EQ(refused({png, "image/gif"}), "INVALID_ARGUMENT video_frame.media_type");
  EXPECT_EQ(refused({png.substr(0, png.size() / 2), "image/png"}), "DATA_LOSS video_frame.data");
  EXPECT_EQ(refused({AnimatedWebp(), "image/webp"}), "INVALID_ARGUMENT video_frame.data");
  EXPECT_EQ(refused({"abc", "image/x-rgb", 0, 1}), "OUT_OF_RANGE video_frame.width");
  EXPECT_EQ(refused({"abc", "image/x-rgb", 1, 8193}), "OUT_OF_RANGE video_frame.height");
  EXPECT_EQ(refused({PngClaiming(1024, 2049), "image/png"}), "OUT_OF_RANGE video_frame.data");
  const Image full_hd = Sample(1920, 1080);
  EXPECT_EQ(refused({JpegOf(full_hd), "image/jpeg"}), "");
}

TEST(ImageInputTest, TakesTheLimitsThemselves) {
  EXPECT_EQ(Taken({std::string(3 * 1024 * 1024, 'x'), "image/x-rgb", 1024, 1024}).width, 1024);
  EXPECT_EQ(Taken({std::string(3 * 8192, 'x'), "image/x-rgb", 8192, 1}).width, 8192);
}

}  // namespace
}  // namespace antiphon
