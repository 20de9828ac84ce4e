// Pictures that lie in files.
#pragma once

#include <cstdint>
#include <string>

#include "antiphon/client.h"
#include "antiphon/status.h"

namespace antiphon::client {

// Those of the wire's ImageAppend and VideoFrame.
constexpr int64_t kMaxImagePixels = int64_t{16} * 1024 * 1024;
constexpr int64_t kMaxVideoPixels = int64_t{2} * 1024 * 1024;

// Reads a PNG, JPEG or WebP file; its first bytes say which. Whether it can be shown is found out here, so
// that a bad one costs nobody a session. NOT_FOUND when it cannot be read, OUT_OF_RANGE over 3 MiB or over
// `max_pixels`, INVALID_ARGUMENT for other kinds of file and for animations, DATA_LOSS for a broken one; the
// message has the path.
Result<ImageFile> ReadImageFile(const std::string& path, int64_t max_pixels = kMaxImagePixels);

// Replaces the file. UNAVAILABLE when it cannot be written.
Status WriteFile(const std::string& path, const std::string& bytes);

}  // namespace antiphon::client
