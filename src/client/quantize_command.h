// `antiphon quantize`.
#pragma once

namespace antiphon::client {

// Becomes the program antiphon-quantize beside this one, with these arguments (null at the end): it needs
// libtorch, which the client is built without. Returns only when that cannot be started: the exit status 1,
// with the reason printed.
int RunQuantize(char** arguments);

}  // namespace antiphon::client
