# The three functions that define every target of ours.
#
#   antiphon_library(<folder> SOURCES a.cc b.cc ... [PUBLIC_DEPS target ...] [PRIVATE_DEPS target ...])
#
# in src/<folder>/CMakeLists.txt defines the static library antiphon_<folder>. Dependencies are target names
# (antiphon_media, PkgConfig::opus, ...; cmake/AntiphonDependencies.cmake lists those from outside). PUBLIC_DEPS are the
# ones its headers include, PRIVATE_DEPS the ones only its sources include. `#include "media/wav.h"` resolves only
# in targets that list antiphon_media (or get it through a PUBLIC_DEPS chain), so a wrong include fails to build.
# include/antiphon/*.h is visible everywhere. With no SOURCES the library is header-only.
#
#   antiphon_executable(<name> SOURCES main.cc ... [DEPS target ...])
#
# defines the program <name>, built into build/<preset>/bin.
#
#   antiphon_test(<folder> SOURCES a_test.cc ... [DEPS target ...] [TIMEOUT seconds])
#
# in tests/<folder>/CMakeLists.txt defines the GoogleTest binary <folder>_test, and one ctest entry of the same name.
# antiphon_<folder> (if there is one), GTest and gmock, and a main() are linked already. The test runs in the
# repository's root, and the macro ANTIPHON_SOURCE_DIR is that root as a string literal. A header shared by tests
# is included from the root: "tests/media/signals.h". TIMEOUT is 120 s unless told.
#
# Whoever uses libtorch, messages or CLI11 lists antiphon_torch, antiphon_proto or CLI11::CLI11 itself and so gets their
# precompiled headers (cmake/AntiphonPrecompiledHeaders.cmake). A source with its own -m flags (AVX2, ...) cannot share
# them: set_source_files_properties(x.cc PROPERTIES COMPILE_OPTIONS -mavx2 SKIP_PRECOMPILE_HEADERS ON).

function(_antiphon_common_setup target)
  target_link_libraries(${target} PRIVATE antiphon_warnings)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include)
endfunction()

function(antiphon_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;PUBLIC_DEPS;PRIVATE_DEPS")
  set(target antiphon_${folder})
  # A directory that holds nothing but a link to the folder: an include root that shows this folder and no other.
  set(root ${PROJECT_BINARY_DIR}/include_roots/${folder})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${folder} SYMBOLIC)
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "antiphon_library(${folder}): unexpected ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_SOURCES)
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${root} ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(${target} INTERFACE ${arg_PUBLIC_DEPS})
    return()
  endif()
  add_library(${target} STATIC ${arg_SOURCES})
  target_include_directories(${target} PUBLIC ${root} ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
  _antiphon_common_setup(${target})
  _antiphon_use_pch(${target} "" ${arg_PUBLIC_DEPS} ${arg_PRIVATE_DEPS})
endfunction()

function(antiphon_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  if("CLI11::CLI11" IN_LIST arg_DEPS)
    target_compile_options(${name} PRIVATE ${antiphon_program_options})
  endif()
  _antiphon_common_setup(${name})
  _antiphon_use_pch(${name} "" ${arg_DEPS})
endfunction()

function(antiphon_test folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "antiphon_test(${folder}): unexpected ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(target ${folder}_test)
  if(TARGET antiphon_${folder})
    list(APPEND arg_DEPS antiphon_${folder})
  endif()
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_DEPS} GTest::gmock GTest::gtest_main)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${target} PRIVATE ANTIPHON_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_compile_options(${target} PRIVATE ${antiphon_test_options})
  _antiphon_common_setup(${target})
  _antiphon_use_pch(${target} _test ${arg_DEPS})
  # One ctest entry a binary: loading libtorch for every single test case would take longer than the tests.
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_test(NAME ${target} COMMAND ${target} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${target} PROPERTIES TIMEOUT ${arg_TIMEOUT})
endfunction()
