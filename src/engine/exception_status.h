// What the model's code throws, as a status.
#pragma once

#include "antiphon/status.h"

namespace antiphon {

// Of the exception that is being handled: RESOURCE_EXHAUSTED when memory ran out, else INTERNAL with its
// message. REQUIRES: called from a catch block.
Status CurrentExceptionStatus();

}  // namespace antiphon
