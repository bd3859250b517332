# The build functions: clipnext_library() for a folder, clipnext_isa() for one instruction set of
# the kernels, clipnext_embed() for a file inside the binary.

add_library(clipnext_flags INTERFACE)
target_compile_features(clipnext_flags INTERFACE cxx_std_20)
# Arithmetic as written: a compiler that fuses a * b + c on its own changes results between builds.
target_compile_options(clipnext_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -ffp-contract=off
  # GCC 12 warns about "literal" + std::string (bug 105651), and about more of <string> where that
  # comes from precompiled headers.
  "$<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-stringop-overflow;-Wno-array-bounds>"
  $<$<BOOL:${CLIPNEXT_WERROR}>:-Werror>)
target_include_directories(clipnext_flags INTERFACE ${CMAKE_SOURCE_DIR}/src
                                                    ${CMAKE_SOURCE_DIR}/include)
if(CLIPNEXT_SANITIZE)
  target_compile_options(clipnext_flags INTERFACE -fsanitize=${CLIPNEXT_SANITIZE}
                                                  -fno-omit-frame-pointer
                                                  -fno-sanitize-recover=all)
  target_link_options(clipnext_flags INTERFACE -fsanitize=${CLIPNEXT_SANITIZE})
endif()

# Reading the headers of others takes half of a compilation: what nearly every source includes is
# compiled once, by `owner`, for all targets that are compiled with the same flags.
set(clipnext_common_headers
  <nlohmann/json.hpp> <algorithm> <chrono> <filesystem> <functional> <map> <memory> <optional> <span>
  <string> <thread> <vector>)
function(clipnext_precompile target owner)
  if(target STREQUAL owner)
    target_precompile_headers(${target} PRIVATE ${clipnext_common_headers} ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()

# Makes clipnext::<folder> from the folder's *.cpp and <folder>_test from its *_test.cpp.
# DEPS are folders of ours (tools/check_layers.sh holds the includes to them), LINK is the rest.
# OWN_HEADERS: without the common precompiled headers, for other flags or for headers of its own.
function(clipnext_library)
  cmake_parse_arguments(arg "OWN_HEADERS" "" "DEPS;LINK;TEST_LINK" ${ARGN})
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  file(GLOB tests CONFIGURE_DEPENDS *_test.cpp)
  if(tests)
    list(REMOVE_ITEM sources ${tests})
  endif()
  list(TRANSFORM arg_DEPS PREPEND clipnext:: OUTPUT_VARIABLE deps)
  add_library(clipnext_${folder} STATIC ${sources})
  add_library(clipnext::${folder} ALIAS clipnext_${folder})
  target_link_libraries(clipnext_${folder} PUBLIC clipnext_flags ${deps} ${arg_LINK})
  if(NOT arg_OWN_HEADERS)
    clipnext_precompile(clipnext_${folder} clipnext_base)
  endif()
  if(CLIPNEXT_TESTS AND tests)
    clipnext_test(${folder}_test LABEL unit SOURCES ${tests} LINK clipnext::${folder} ${arg_TEST_LINK})
    if(NOT arg_OWN_HEADERS)
      clipnext_test_headers(${folder}_test)
    endif()
  endif()
endfunction()

# Makes one GoogleTest program and registers each of its tests with CTest under LABEL. Tests whose
# suite name begins with Slow carry the label `slow` instead and are left out of the default run.
function(clipnext_test name)
  cmake_parse_arguments(arg "" "LABEL" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} clipnext_flags GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE CLIPNEXT_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             CLIPNEXT_PROGRAM="${CMAKE_BINARY_DIR}/bin/clipnext")
  gtest_discover_tests(${name} TEST_FILTER "-Slow*" TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS ${arg_LABEL} TIMEOUT 600)
  gtest_discover_tests(${name} TEST_FILTER "Slow*" TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS slow TIMEOUT 3600 TEST_LIST ${name}_slow_tests)
endfunction()

# The common headers and GoogleTest's; and -O1, as tests wait for what they test, not for themselves.
function(clipnext_test_headers name)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  clipnext_precompile(${name} base_test <gtest/gtest.h>)
endfunction()

# Compiles kernel sources with FLAGS into the namespace and the objects of that name.
function(clipnext_kernel_objects name)
  cmake_parse_arguments(arg "" "" "FLAGS;SOURCES" ${ARGN})
  add_library(kernels_${name} OBJECT ${arg_SOURCES})
  target_link_libraries(kernels_${name} PRIVATE clipnext_flags)
  target_compile_definitions(kernels_${name} PRIVATE CLIPNEXT_ISA_NAMESPACE=${name})
  target_compile_options(kernels_${name} PRIVATE ${arg_FLAGS}  # GCC 12's own AVX-512 header warns
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endfunction()

# Compiles the kernels of one instruction set into clipnext::kernels; called in src/kernels as
# clipnext_isa(avx2 OPS FLAGS -mavx2 -mfma -mf16c). OPS: also ops/*.cpp, the width-agnostic sources;
# SOURCES: also those. EMULATED: with these flags also into the tests, as <isa>_emulated, over
# instructions in software.
function(clipnext_isa isa)
  cmake_parse_arguments(arg "OPS" "" "FLAGS;SOURCES;EMULATED" ${ARGN})
  set(sources isa/${isa}.cpp)
  list(APPEND sources ${arg_SOURCES})
  if(arg_OPS)
    file(GLOB ops CONFIGURE_DEPENDS ops/*.cpp)
    list(APPEND sources ${ops})
  endif()
  clipnext_kernel_objects(${isa} SOURCES ${sources} FLAGS ${arg_FLAGS})
  target_sources(clipnext_kernels PRIVATE $<TARGET_OBJECTS:kernels_${isa}>)
  if(CLIPNEXT_TESTS AND NOT CLIPNEXT_SANITIZE)
    # A weak symbol compiled for AVX-512 can be the copy the linker keeps for every CPU.
    add_test(NAME kernels.${isa}.clean_objects COMMAND_EXPAND_LISTS COMMAND sh -c
             "nm \"$@\" >/dev/null && ! nm -C \"$@\" | grep -E ' [Wu] |operator new|__throw'" --
             $<TARGET_OBJECTS:kernels_${isa}>)
    set_tests_properties(kernels.${isa}.clean_objects PROPERTIES LABELS unit)
  endif()
  if(CLIPNEXT_TESTS AND arg_EMULATED)
    # -O2 compiles in a third of -O3's time. Vectors that the target lacks are passed in memory,
    # which both compilers remark on.
    clipnext_kernel_objects(${isa}_emulated SOURCES ${sources}
                            FLAGS ${arg_EMULATED} -DCLIPNEXT_EMULATED -O2 -Wno-psabi)
    target_include_directories(kernels_${isa}_emulated SYSTEM PRIVATE ${CLIPNEXT_SIMDE})
    target_sources(kernels_test PRIVATE $<TARGET_OBJECTS:kernels_${isa}_emulated>)
  endif()
endfunction()

# Puts a file's bytes into a target as `extern const unsigned char SYMBOL[], SYMBOL_end[]`.
function(clipnext_embed target symbol file)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.S)
  file(CONFIGURE OUTPUT ${source} CONTENT
".section .rodata
.balign 64
.global @symbol@
.global @symbol@_end
@symbol@:
.incbin \"@file@\"
@symbol@_end:
.byte 0
.section .note.GNU-stack,\"\",@progbits
" @ONLY)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${file})
  target_sources(${target} PRIVATE ${source})
endfunction()
