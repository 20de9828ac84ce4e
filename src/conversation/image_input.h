// Bytes of ImageAppend and VideoFrame to a picture.
#pragma once

#include <variant>

#include "antiphon/types.h"
#include "conversation/client_event.h"
#include "conversation/session_config.h"

namespace antiphon {

// The picture, or the mistake in what came: its code is that of media/image.h, its field "image_append.data",
// ".media_type", ".width" or ".height". Takes as long as a file of 16 Mi pixels takes to be decoded: some
// hundred ms.
std::variant<Image, Refusal> DecodeImageAppend(const client_event::ImageAppend& append);

// Likewise; the field is "video_frame.data" and so on. There may be many: of files of 2 Mi pixels, some ten
// ms each, at most.
std::variant<Image, Refusal> DecodeVideoFrame(const client_event::VideoFrame& frame);

}  // namespace antiphon
