// What libFuzzer calls; ANTIPHON_FUZZ_TARGET is the function of targets.h that this program fuzzes.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  antiphon::fuzz::ANTIPHON_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
