#include "conversation/image_input.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "media/image.h"

namespace antiphon {
namespace {

constexpr std::string_view kPixels = "image/x-rgb";
constexpr std::array<std::string_view, 3> kFiles = {"image/png", "image/jpeg", "image/webp"};
constexpr size_t kMaxMediaTypeBytes = 64;  // of one that is told back to the client

// Sessions decode at the same time: what one of them may take is bounded with that in mind.
constexpr ImageLimits kLimits{
    .max_bytes = 3 * 1024 * 1024, .max_side = 8192, .max_pixels = int64_t{16} * 1024 * 1024};
constexpr ImageLimits kVideoLimits{
    .max_bytes = kLimits.max_bytes, .max_side = kLimits.max_side, .max_pixels = int64_t{2} * 1024 * 1024};

// Fields are told without the event they are of.
Refusal Bad(Status status, const std::string& field) { return {std::move(status), field}; }

std::variant<Image, Refusal> TakePixels(const client_event::ImageAppend& append) {
  for (const auto& [side, field] : {std::pair{append.width, "width"}, {append.height, "height"}}) {
    if (side < 1 || side > static_cast<uint32_t>(kLimits.max_side)) {
      return Bad(OutOfRange(std::string(field) + " is " + std::to_string(side) + ", must be 1 to 8192"),
                 field);
    }
  }
  const size_t bytes = size_t{3} * append.width * append.height;
  if (append.data.size() != bytes) {
    return Bad(InvalidArgument("data has " + std::to_string(append.data.size()) + " bytes, " +
                               std::to_string(append.width) + " x " + std::to_string(append.height) +
                               " pixels of image/x-rgb must have " + std::to_string(bytes)),
               "data");
  }
  return Image{.width = static_cast<int>(append.width),
               .height = static_cast<int>(append.height),
               .rgb = {append.data.begin(), append.data.end()}};
}

std::variant<Image, Refusal> Decode(const client_event::ImageAppend& append, const ImageLimits& limits) {
  const bool file = std::ranges::find(kFiles, append.media_type) != kFiles.end();
  if (!file && append.media_type != kPixels) {
    return Bad(InvalidArgument("media_type is \"" + append.media_type.substr(0, kMaxMediaTypeBytes) +
                               "\", must be image/png, image/jpeg, image/webp or image/x-rgb"),
               "media_type");
  }
  if (append.data.empty()) return Bad(InvalidArgument("data is empty"), "data");
  if (append.data.size() > limits.max_bytes) {
    return Bad(OutOfRange("data has " + std::to_string(append.data.size()) + " bytes, must have at most " +
                          std::to_string(limits.max_bytes)),
               "data");
  }
  if (!file) return TakePixels(append);
  Result<Image> image = DecodeImage(append.data, append.media_type, limits);
  if (!image.ok()) return Bad(image.status(), "data");
  return std::move(*image);
}

std::variant<Image, Refusal> Named(std::variant<Image, Refusal> decoded, const std::string& event) {
  if (auto* refusal = std::get_if<Refusal>(&decoded)) refusal->field = event + "." + refusal->field;
  return decoded;
}

}  // namespace

std::variant<Image, Refusal> DecodeImageAppend(const client_event::ImageAppend& append) {
  return Named(Decode(append, kLimits), "image_append");
}

std::variant<Image, Refusal> DecodeVideoFrame(const client_event::VideoFrame& frame) {
  return Named(Decode(frame.picture, kVideoLimits), "video_frame");
}

}  // namespace antiphon
