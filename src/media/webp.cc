#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "media/image_formats.h"

namespace antiphon {
namespace {

struct Delete {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

int Orientation(std::string_view bytes) {
  const WebPData data{.bytes = reinterpret_cast<const uint8_t*>(bytes.data()), .size = bytes.size()};
  const std::unique_ptr<WebPDemuxer, Delete> demuxer(WebPDemux(&data));
  WebPChunkIterator chunk;
  if (demuxer == nullptr || WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk) == 0) return 1;
  const int orientation =
      ExifOrientation({reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size});
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

}  // namespace

Result<DecodedImage> DecodeWebp(std::string_view bytes, const ImageLimits& limits) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK) {
    return DataLoss("the WebP file is broken or truncated");
  }
  if (features.has_animation != 0) return InvalidArgument("the WebP file is an animation");
  if (Status status = CheckImageSize(features.width, features.height, limits); !status.ok()) return status;
  const size_t pixels = static_cast<size_t>(features.width) * static_cast<size_t>(features.height);
  std::vector<uint8_t> rgba(4 * pixels);
  if (WebPDecodeRGBAInto(data, bytes.size(), rgba.data(), rgba.size(), 4 * features.width) == nullptr) {
    return DataLoss("the WebP file is broken or truncated");
  }
  DecodedImage decoded{.image = {.width = features.width, .height = features.height, .rgb = {}},
                       .orientation = Orientation(bytes)};
  decoded.image.rgb.resize(3 * pixels);
  for (size_t i = 0; i < pixels; ++i) {
    const int alpha = rgba[4 * i + 3];
    for (size_t channel = 0; channel < 3; ++channel) {
      decoded.image.rgb[3 * i + channel] =
          static_cast<uint8_t>((rgba[4 * i + channel] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  return decoded;
}

}  // namespace antiphon
