// The vector instructions that kernels are written with, and which of them there are: those of the
// compiler's target, or with CLIPNEXT_EMULATED, for tests, those that the build names, in software.
#pragma once

#ifdef CLIPNEXT_EMULATED
#include "kernels/emulated/avx512.h"
#else
#include <immintrin.h>
#ifdef __AVX512F__
#define CLIPNEXT_AVX512
#endif
#ifdef __AVXVNNI__
#define CLIPNEXT_AVX_VNNI
#endif
#ifdef __AVX512VNNI__
#define CLIPNEXT_AVX512_VNNI
#endif
#ifdef __AVX512BF16__
#define CLIPNEXT_AVX512_BF16
#endif
#endif
