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
target_link_libraries(clipnext_torch INTERFACE torch_cpu c10)
if(EXISTS ${torch}/lib/libtorch_cuda.so AND CLIPNEXT_CUDA)
  target_compile_definitions(clipnext_torch INTERFACE CLIPNEXT_CUDA USE_C10D_NCCL)
  target_link_libraries(clipnext_torch INTERFACE torch_cuda c10_cuda)
endif()
