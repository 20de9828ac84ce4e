# Every library from outside, each found once and each reached through one target name:
#
#   antiphon_torch                libtorch                    kernels, model, engine only
#   gRPC::grpc++  gRPC::grpc++_reflection  protobuf::libprotobuf   proto, server, client only
#   PkgConfig::opus               libopus                     media only
#   PkgConfig::sndfile            audio files                 media only
#   PkgConfig::webrtc_audio       voice activity              media only
#   PkgConfig::prometheus         metrics                     server, and common for what serves them
#   PkgConfig::microhttpd         metrics over HTTP           common only
#   spdlog::spdlog                logging                     common only
#   nlohmann_json::nlohmann_json  configuration, --json
#   CLI11::CLI11                  command lines
#   GTest::gmock_main             tests
#
# Not here: Debian's libsentencepiece. It carries its own protobuf 3.14 with exported symbols, and a process that also
# loads libprotobuf 3.21 (which libtorch and gRPC both do) crashes before main() in one link order and is stopped by
# protobuf's version check in the other. src/model therefore reads tokenizer.model and applies it itself.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(gRPC CONFIG REQUIRED)  # brings Protobuf with it
find_package(spdlog CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
pkg_check_modules(exif REQUIRED IMPORTED_TARGET libexif)
pkg_check_modules(jpeg REQUIRED IMPORTED_TARGET libturbojpeg)
pkg_check_modules(microhttpd REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(opus REQUIRED IMPORTED_TARGET opus)
pkg_check_modules(png REQUIRED IMPORTED_TARGET libpng)
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core)
pkg_check_modules(sndfile REQUIRED IMPORTED_TARGET sndfile)
pkg_check_modules(webp REQUIRED IMPORTED_TARGET libwebp libwebpdemux)
find_package(ZLIB REQUIRED)
pkg_check_modules(webrtc_audio REQUIRED IMPORTED_TARGET webrtc-audio-processing)
if(ANTIPHON_BUILD_TESTS)
  find_package(GTest CONFIG REQUIRED)
endif()

find_package(Torch REQUIRED)
add_library(antiphon_torch INTERFACE)
target_include_directories(antiphon_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(antiphon_torch INTERFACE ${TORCH_LIBRARIES})
# ATen's headers then include the operators they need, not all two thousand.
target_compile_definitions(antiphon_torch INTERFACE AT_PER_OPERATOR_HEADERS)
