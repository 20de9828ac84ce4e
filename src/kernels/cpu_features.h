// What the processor can run, of what the loops are compiled for (CMakeLists.txt has the flags).
#pragma once

namespace antiphon {

// AVX2 and FMA.
bool RunsAvx2();
// AVX-512 F, BW, VL and DQ, and FMA.
bool RunsAvx512();
// All that, and VNNI.
bool RunsAvx512Vnni();

}  // namespace antiphon
