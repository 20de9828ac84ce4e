# Headers from outside that take longer to parse than what includes them, parsed once each. antiphon_library,
# antiphon_executable and antiphon_test choose one by what a target depends on:
#
#   antiphon_pch_std     the standard library and fmt
#   antiphon_pch_torch   and libtorch's tensor
#   antiphon_pch_grpc    and gRPC with the messages
#   antiphon_pch_cli     and CLI11 with nlohmann_json: programs; ..._torch_cli with libtorch's tensor too
#   antiphon_pch_*_test  and GoogleTest, but for those of programs
#
# They hide a missing #include: configure with -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON to see those.
#
# Of libtorch only the tensor: ATen/ATen.h (every operator, 339 MB precompiled) costs every source that uses it
# 2.5 s more, and torch/torch.h (autograd, nn, optimisers) is never needed for inference; scripts/check_includes.sh
# refuses both. An operator's own header is ATen/ops/<operator>.h.

set(std_headers
  <algorithm> <array> <atomic> <chrono> <cmath> <condition_variable> <cstddef> <cstdint> <cstdio> <cstring> <deque>
  <filesystem> <fstream> <functional> <limits> <map> <memory> <mutex> <numeric> <optional> <random> <set> <span>
  <sstream> <string> <string_view> <thread> <utility> <variant> <vector> <fmt/format.h>)
set(torch_headers <ATen/core/Tensor.h> <ATen/TensorOperators.h> <c10/core/InferenceMode.h>)
set(grpc_headers
  <grpcpp/grpcpp.h> <antiphon/v1/conversation.grpc.pb.h> <antiphon/v1/generation.grpc.pb.h>
  <antiphon/v1/model.grpc.pb.h> <antiphon/v1/replay.grpc.pb.h>)
set(cli_headers <CLI/CLI.hpp> <nlohmann/json.hpp>)
set(test_headers <gmock/gmock.h> <gtest/gtest.h>)

# antiphon_pch_<name>: the headers of all `kinds`. Made only if somebody uses it.
function(_antiphon_pch name)
  set(target antiphon_pch_${name})
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/precompiled/${name}.cc CONTENT "// Carries the precompiled header.\n")
  add_library(${target} STATIC EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/precompiled/${name}.cc)
  # The warnings too: -Wpedantic changes predefined macros, and then the compiler would not take the header.
  target_link_libraries(${target} PRIVATE antiphon_warnings fmt::fmt)
  set(headers ${std_headers})
  foreach(kind IN LISTS ARGN)
    list(APPEND headers ${${kind}_headers})
  endforeach()
  if("torch" IN_LIST ARGN)
    target_link_libraries(${target} PRIVATE antiphon_torch)
  endif()
  if("grpc" IN_LIST ARGN)
    target_link_libraries(${target} PRIVATE antiphon_proto gRPC::grpc++)
  endif()
  if("cli" IN_LIST ARGN)
    target_link_libraries(${target} PRIVATE CLI11::CLI11 nlohmann_json::nlohmann_json)
    target_compile_options(${target} PRIVATE ${antiphon_program_options})
  endif()
  if("test" IN_LIST ARGN)
    target_link_libraries(${target} PRIVATE GTest::gmock)
    target_compile_options(${target} PRIVATE ${antiphon_test_options})
  endif()
  target_precompile_headers(${target} PRIVATE ${headers})
endfunction()

_antiphon_pch(std)
_antiphon_pch(torch torch)
_antiphon_pch(grpc grpc)
_antiphon_pch(cli cli)
_antiphon_pch(torch_cli torch cli)
if(ANTIPHON_BUILD_TESTS)
  _antiphon_pch(std_test test)
  _antiphon_pch(torch_test torch test)
  _antiphon_pch(grpc_test grpc test)
endif()

# Gives `target` the fullest of them that its dependencies allow; `suffix` is empty or "_test".
function(_antiphon_use_pch target suffix)
  set(name std)
  if("CLI11::CLI11" IN_LIST ARGN AND NOT suffix)  # there are none of them for tests
    set(cli ON)
  endif()
  if("antiphon_torch" IN_LIST ARGN AND cli)
    set(name torch_cli)
  elseif("antiphon_torch" IN_LIST ARGN)
    set(name torch)
  elseif(cli)
    set(name cli)
  elseif("antiphon_proto" IN_LIST ARGN)
    set(name grpc)
  endif()
  target_precompile_headers(${target} REUSE_FROM antiphon_pch_${name}${suffix})
endfunction()
