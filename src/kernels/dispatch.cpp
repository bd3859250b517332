// Chooses the table of kernels for this processor: `ref`, then each instruction set over it.
#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/cpu.h"
#include "kernels/isa/tables.h"
#include "kernels/kernels.h"
#include "kernels/ref/table.h"

namespace clipnext::kernels {
namespace {

struct Tables {
  std::vector<Kernels> list;
  bool amx_refused = false;
};

struct Isa {
  const char* name;
  bool Cpu::*supported;
  void (*install)(Kernels&) noexcept;
};

/// Each is laid over those before it.
constexpr Isa kIsas[] = {
    {"avx2", &Cpu::avx2, avx2::install},
    {"avx_vnni", &Cpu::avx_vnni, avx_vnni::install},
    {"avx512", &Cpu::avx512, avx512::install},
    {"avx512_vnni", &Cpu::avx512_vnni, avx512_vnni::install},
    {"avx512_bf16", &Cpu::avx512_bf16, avx512_bf16::install},
    {"amx_bf16", &Cpu::amx_bf16, amx_bf16::install},
    {"amx_int8", &Cpu::amx_int8, amx_int8::install},
};

Tables make_tables() {
  Cpu cpu = detect_cpu();
  const bool amx_refused = (cpu.amx_bf16 || cpu.amx_int8) && !request_amx();
  if (amx_refused) cpu.amx_bf16 = cpu.amx_int8 = false;
  std::vector<Kernels> tables{ref::table()};
  for (const Isa& isa : kIsas) {
    if (!(cpu.*isa.supported)) continue;
    Kernels table = tables.back();
    table.isa = isa.name;
    isa.install(table);
    tables.push_back(table);
    if (isa.install != avx512_bf16::install) continue;
    tables.back().fast_bf16 = avx512_bf16::pays();
    // Where it does not pay, the table before it stays the one to prefer and to build on.
    if (!tables.back().fast_bf16) std::swap(tables.back(), tables.end()[-2]);
  }
  return {std::move(tables), amx_refused};
}

const Tables& tables_of_this_cpu() {
  static const Tables tables = make_tables();
  return tables;
}

}  // namespace

std::span<const Kernels> available() { return tables_of_this_cpu().list; }

std::string_view notice() {
  return tables_of_this_cpu().amx_refused ? "the operating system refuses AMX's tiles "
                                            "(arch_prctl); the next best kernels are used"
                                          : "";
}

const Kernels& choose(std::string_view isa) {
  const std::span<const Kernels> tables = available();
  if (isa.empty()) return tables.back();
  std::string names;
  for (const Kernels& table : tables) {
    if (isa == table.isa) return table;
    names += names.empty() ? "" : ", ";
    names += table.isa;
  }
  const bool known = std::any_of(std::begin(kIsas), std::end(kIsas),
                                 [isa](const Isa& one) { return isa == one.name; });
  fail("CLIPNEXT_ISA: ", known ? "this CPU lacks '" : "unknown instruction set '", isa,
       "'; expected one of: ", names);
}

const Kernels& kernels() {
  static const Kernels& best = []() -> const Kernels& {
    const char* isa = std::getenv("CLIPNEXT_ISA");
    return choose(isa != nullptr ? isa : "");
  }();
  return best;
}

}  // namespace clipnext::kernels
