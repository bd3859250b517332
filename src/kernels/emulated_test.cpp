// Tables of kernels for processors that this one need not be, over emulated instructions.
#include <vector>

#include "kernels/cpu.h"
#include "kernels/testing.h"

namespace clipnext::kernels {

#define CLIPNEXT_EMULATED(isa)       \
  namespace isa {                    \
  void install(Kernels& k) noexcept; \
  }
CLIPNEXT_EMULATED(avx_vnni_emulated)
CLIPNEXT_EMULATED(avx512_emulated)
CLIPNEXT_EMULATED(avx512_vnni_emulated)
CLIPNEXT_EMULATED(avx512_bf16_emulated)
CLIPNEXT_EMULATED(amx_bf16_emulated)
CLIPNEXT_EMULATED(amx_int8_emulated)

namespace {

struct Emulated {
  const char* name;
  void (*install)(Kernels&) noexcept;
};

/// Each is laid over those before it.
constexpr Emulated kEmulated[] = {
    {"avx_vnni, emulated", avx_vnni_emulated::install},
    {"avx512, emulated", avx512_emulated::install},
    {"avx512_vnni, emulated", avx512_vnni_emulated::install},
    {"avx512_bf16, emulated", avx512_bf16_emulated::install},
    {"amx_bf16, emulated", amx_bf16_emulated::install},
    {"amx_int8, emulated", amx_int8_emulated::install},
};

std::vector<Kernels> make_tables() {
  std::vector<Kernels> tables(available().begin(), available().end());
  if (!detect_cpu().avx2) return tables;  // which the emulation is compiled for
  Kernels table = choose("avx2");
  for (const auto& [name, install] : kEmulated) {
    table.isa = name;
    install(table);
    tables.push_back(table);
  }
  return tables;
}

}  // namespace

const std::vector<Kernels>& all_tables() {
  static const std::vector<Kernels> tables = make_tables();
  return tables;
}

}  // namespace clipnext::kernels
