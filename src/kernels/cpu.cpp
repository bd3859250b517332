// Feature detection by CPUID and XGETBV (Intel SDM volume 1, 14.3 and 15.2-15.4).
#include "kernels/cpu.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace clipnext::kernels {
namespace {

/// Which register files the operating system saves: bits 1, 2 are SSE and AVX, 5-7 AVX-512,
/// 17, 18 AMX.
uint32_t enabled_state() noexcept {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

constexpr bool all(uint32_t bits, uint32_t wanted) { return (bits & wanted) == wanted; }

}  // namespace

Cpu detect_cpu() noexcept {
  constexpr uint32_t kFma = 1U << 12, kOsXsave = 1U << 27, kAvx = 1U << 28, kF16c = 1U << 29;
  constexpr uint32_t kAvx2 = 1U << 5;
  constexpr uint32_t kVnni = 1U << 11, kAvxVnni = 1U << 4, kBf16 = 1U << 5;
  constexpr uint32_t kAmxBf16 = 1U << 22, kAmxTile = 1U << 24, kAmxInt8 = 1U << 25;
  constexpr uint32_t kAvx512 = 1U << 16 | 1U << 17 | 1U << 30 | 1U << 31;  // F, DQ, BW, VL
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;
  Cpu cpu;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return cpu;
  if (!all(ecx, kFma | kOsXsave | kAvx | kF16c)) return cpu;
  const uint32_t state = enabled_state();
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return cpu;
  cpu.avx2 = all(ebx, kAvx2) && all(state, 0x06);
  cpu.avx512 = cpu.avx2 && all(ebx, kAvx512) && all(state, 0xe6);
  cpu.avx512_vnni = cpu.avx512 && all(ecx, kVnni);
  const bool amx = cpu.avx512 && all(state, 0x600e6);
  const uint32_t amx_bits = edx;
  const uint32_t subleaves = eax;
  if (subleaves > 0 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) {
    cpu.avx_vnni = cpu.avx2 && all(eax, kAvxVnni);
    cpu.avx512_bf16 = cpu.avx512_vnni && all(eax, kBf16);
  }
  cpu.amx_bf16 = amx && cpu.avx512_bf16 && all(amx_bits, kAmxTile | kAmxBf16);
  cpu.amx_int8 = amx && all(amx_bits, kAmxTile | kAmxInt8);
  return cpu;
}

bool request_amx() noexcept {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace clipnext::kernels
