#include <turbojpeg.h>

#include <memory>
#include <type_traits>

#include "media/image_formats.h"

namespace antiphon {
namespace {

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Decompressor = std::unique_ptr<std::remove_pointer_t<tjhandle>, Destroy>;

// Cameras leave bytes between segments, and nothing is lost with them.
bool Harmless(tjhandle handle) {
  return tjGetErrorCode(handle) == TJERR_WARNING &&
         std::string_view(tjGetErrorStr2(handle)).find("extraneous bytes") != std::string_view::npos;
}

Status Failure(tjhandle handle) {
  return DataLoss(std::string("the JPEG file is broken: ") + tjGetErrorStr2(handle));
}

}  // namespace

Result<DecodedImage> DecodeJpeg(std::string_view bytes, const ImageLimits& limits) {
  const Decompressor decompressor(tjInitDecompress());
  if (decompressor == nullptr) return Internal("libjpeg-turbo has no decompressor");
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto size = static_cast<unsigned long>(bytes.size());  // NOLINT(google-runtime-int)
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(decompressor.get(), data, size, &width, &height, &subsampling, &colours) != 0 &&
      !Harmless(decompressor.get())) {
    return Failure(decompressor.get());
  }
  if (Status status = CheckImageSize(width, height, limits); !status.ok()) return status;
  const bool four_inks = colours == TJCS_CMYK || colours == TJCS_YCCK;
  const size_t pixels = static_cast<size_t>(width) * static_cast<size_t>(height);
  std::vector<uint8_t> decoded(pixels * (four_inks ? 4 : 3));
  // Without the limit a small file of very many scans takes minutes.
  if (tjDecompress2(decompressor.get(), data, size, decoded.data(), width, 0, height,
                    four_inks ? TJPF_CMYK : TJPF_RGB, TJFLAG_LIMITSCANS) != 0 &&
      !Harmless(decompressor.get())) {
    return Failure(decompressor.get());
  }
  if (four_inks) {
    // Inverted, as Adobe writes them and everybody else since.
    for (size_t i = 0; i < pixels; ++i) {
      const uint8_t* inks = &decoded[4 * i];
      for (size_t channel = 0; channel < 3; ++channel) {
        decoded[3 * i + channel] = static_cast<uint8_t>(inks[channel] * inks[3] / 255);
      }
    }
    decoded.resize(3 * pixels);
  }
  return DecodedImage{.image = {.width = width, .height = height, .rgb = std::move(decoded)},
                      .orientation = ExifOrientation(bytes)};
}

}  // namespace antiphon
