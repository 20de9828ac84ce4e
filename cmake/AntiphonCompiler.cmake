# How our own code is compiled: the language, the warnings, the sanitizers and ccache.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
endif()

# -O2, not -O3: the hot loops live in src/kernels, which asks for what it needs file by file.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
# Debug is optimised a little: unoptimised tensor code is too slow to test a spoken turn with.
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS")

# Everywhere, and not only where gRPC asks for it: precompiled headers are shared among targets of the same flags.
add_compile_options(-pthread)

# What tests measure is not their own speed, and what programs have to themselves is their options, which CLI11 makes
# twice as much code of at -O2: the work is done in the libraries.
set(antiphon_test_options -O1)
set(antiphon_program_options -O1)

# Linked by every target of ours, never by generated code.
add_library(antiphon_warnings INTERFACE)
target_compile_options(antiphon_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wformat=2
  -Wimplicit-fallthrough -Wextra-semi -Wunused -Wundef)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12's optimiser warns falsely here: of std::optional<std::variant<...>> and of libtorch's intrusive_ptr.
  target_compile_options(antiphon_warnings INTERFACE -Wno-maybe-uninitialized -Wno-array-bounds)
endif()
if(ANTIPHON_WERROR)
  target_compile_options(antiphon_warnings INTERFACE -Werror)
endif()

if(ANTIPHON_SANITIZE)
  add_compile_options(-fsanitize=${ANTIPHON_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ANTIPHON_SANITIZE})
endif()

if(ANTIPHON_BUILD_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(ANTIPHON_CCACHE ccache)
if(ANTIPHON_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without the sloppiness ccache refuses every file that uses the precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    ${ANTIPHON_CCACHE})
  add_compile_options(-fpch-preprocess)
endif()
