// Bytes of ImageAppend to a picture.
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

}  // namespace antiphon
