// AMX's tiles: eight registers of 16 rows of 64 bytes (Intel SDM, "Intel AMX Programming"). Where
// CLIPNEXT_EMULATED is set, for tests, the same operations in plain code.
#pragma once

#include <cstdint>

namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE {

#ifdef CLIPNEXT_EMULATED

struct Tile {
  unsigned char bytes[16][64];
};
static thread_local Tile tile_registers[8];

static inline void begin_tiles() {}
static inline void end_tiles() {}
template <int kTile>
static inline void zero_tile() {
  tile_registers[kTile] = {};
}
template <int kTile>
static inline void load_tile(const float* p, int64_t stride) {
  for (int64_t r = 0; r < 16; ++r)
    __builtin_memcpy(tile_registers[kTile].bytes[r], p + r * stride, 64);
}
template <int kTile>
static inline void store_tile(float* p, int64_t stride) {
  for (int64_t r = 0; r < 16; ++r)
    __builtin_memcpy(p + r * stride, tile_registers[kTile].bytes[r], 64);
}

/// For every sum of kC: add(sum, word of kA's row, word of kB's column), over the 16 words of k.
template <int kC, int kA, int kB, class T, class Add>
static inline void dot_tiles(const Add& add) {
  for (int64_t i = 0; i < 16; ++i) {
    for (int64_t j = 0; j < 16; ++j) {
      T sum;
      __builtin_memcpy(&sum, tile_registers[kC].bytes[i] + 4 * j, 4);
      for (int64_t p = 0; p < 16; ++p) {
        sum = add(sum, tile_registers[kA].bytes[i] + 4 * p, tile_registers[kB].bytes[p] + 4 * j);
      }
      __builtin_memcpy(tile_registers[kC].bytes[i] + 4 * j, &sum, 4);
    }
  }
}
static inline float bf16_at(const unsigned char* p) {
  const uint32_t bits = static_cast<uint32_t>(p[0]) << 16 | static_cast<uint32_t>(p[1]) << 24;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}
template <int kC, int kA, int kB>
static inline void dot_bf16() {
  dot_tiles<kC, kA, kB, float>([](float sum, const unsigned char* a, const unsigned char* b) {
    return sum + bf16_at(a) * bf16_at(b) + bf16_at(a + 2) * bf16_at(b + 2);
  });
}
template <int kC, int kA, int kB>
static inline void dot_u8s8() {
  dot_tiles<kC, kA, kB, int32_t>([](int32_t sum, const unsigned char* a, const unsigned char* b) {
    for (int i = 0; i < 4; ++i) sum += a[i] * static_cast<signed char>(b[i]);
    return sum;
  });
}

#else

// By inline assembly: the intrinsics of GCC 12 neither take a template's constant nor tell the
// compiler that a tile load reads memory.

/// Palette 1, every tile of its largest size.
static inline void begin_tiles() {
  struct {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } config;
  static_assert(sizeof config == 64);
  __asm__ volatile("ldtilecfg %0" : : "m"(config));
}
static inline void end_tiles() { __asm__ volatile("tilerelease" ::); }
template <int kTile>
static inline void zero_tile() {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
/// Rows `stride` words apart.
template <int kTile>
static inline void load_tile(const float* p, int64_t stride) {
  __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0"
                   :
                   : "i"(kTile), "r"(p), "r"(stride * 4)
                   : "memory");
}
template <int kTile>
static inline void store_tile(float* p, int64_t stride) {
  __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)"
                   :
                   : "i"(kTile), "r"(p), "r"(stride * 4)
                   : "memory");
}
template <int kC, int kA, int kB>
static inline void dot_bf16() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
}
template <int kC, int kA, int kB>
static inline void dot_u8s8() {
  __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
}

#endif

}  // namespace clipnext::kernels::CLIPNEXT_ISA_NAMESPACE
