# clipnext_torch: libtorch as PyPI's `torch` wheel carries it, headers and libraries. The wheel's own
# find_package(Torch) insists on a CUDA toolkit, which a CPU build does not need.
set(CLIPNEXT_TORCH "${CMAKE_SOURCE_DIR}/.cache/torch" CACHE PATH
    "Folder that holds the wheel's `torch` (and `nvidia`) folders, or a libtorch; ./dev setup --train fetches it")
set(torch ${CLIPNEXT_TORCH})
if(EXISTS ${CLIPNEXT_TORCH}/torch/lib)
  set(torch ${CLIPNEXT_TORCH}/torch)
endif()
if(NOT EXISTS ${torch}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "CLIPNEXT_TRAIN needs libtorch, and ${CLIPNEXT_TORCH} holds none: "
                      "run ./dev setup --train, or give -DCLIPNEXT_TORCH=FOLDER")
endif()

# torch_python is the one library of the wheel that needs Python; nothing of ours links it. The CPU
# libraries of the CUDA wheel still ask for its runtime and profiler.
file(GLOB nvidia_libraries ${CLIPNEXT_TORCH}/nvidia/cu*/lib)
add_library(clipnext_torch INTERFACE)
target_include_directories(clipnext_torch SYSTEM INTERFACE
                           ${torch}/include ${torch}/include/torch/csrc/api/include)
target_compile_definitions(clipnext_torch INTERFACE USE_C10D_GLOO)
target_link_directories(clipnext_torch INTERFACE ${torch}/lib)
target_link_options(clipnext_torch INTERFACE
  -Wl,--no-as-needed -Wl,-rpath,${torch}/lib
  $<$<BOOL:${nvidia_libraries}>:-Wl,-rpath,$<JOIN:${nvidia_libraries},:>>
  # What the CPU libraries ask of CUDA is found when they are loaded.
  -Wl,--allow-shlib-undefined)
# Without the compiler's OpenMP, ATen's parallel_for in our sources would run on one thread. The library is
# the one that libtorch brings, by the path above.
find_package(OpenMP REQUIRED COMPONENTS CXX)
target_compile_options(clipnext_torch INTERFACE ${OpenMP_CXX_FLAGS})
target_link_options(clipnext_torch INTERFACE ${OpenMP_CXX_FLAGS})
target_link_libraries(clipnext_torch INTERFACE torch_cpu c10)
# GPUs need no more than this, neither to compile nor to link: libtorch's CUDA library is loaded when a
# command asks for one (train/device.h). What has an interface of its own, NCCL, is compiled against
# the headers that the whole wheel brings.
if(CLIPNEXT_CUDA)
  file(GLOB cuda_includes ${CLIPNEXT_TORCH}/nvidia/*/include)
  find_path(CLIPNEXT_NCCL nccl.h HINTS ${cuda_includes})
  if(NOT CLIPNEXT_NCCL OR NOT EXISTS ${torch}/lib/libtorch_cuda.so)
    message(FATAL_ERROR "CLIPNEXT_CUDA needs libtorch_cuda.so and nccl.h: give -DCLIPNEXT_TORCH=FOLDER, "
                        "where FOLDER is what pip install --target FOLDER torch made")
  endif()
  target_include_directories(clipnext_torch SYSTEM INTERFACE ${cuda_includes} ${CLIPNEXT_NCCL})
  target_compile_definitions(clipnext_torch INTERFACE CLIPNEXT_CUDA USE_C10D_NCCL)
  target_link_libraries(clipnext_torch INTERFACE torch_cuda c10_cuda)
endif()
