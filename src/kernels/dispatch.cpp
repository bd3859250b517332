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

Tables make_tables() {
  const Cpu cpu = detect_cpu();
  std::vector<Kernels> tables{ref::table()};
  const auto overlay = [&tables](bool supported, void (*install)(Kernels&) noexcept) {
    if (!supported) return;
    Kernels table = tables.back();
    install(table);
    tables.push_back(table);
  };
  overlay(cpu.avx2, avx2::install);
  overlay(cpu.avx_vnni, avx_vnni::install);
  overlay(cpu.avx512, avx512::install);
  overlay(cpu.avx512_vnni, avx512_vnni::install);
  overlay(cpu.avx512_bf16, avx512_bf16::install);
  if (cpu.avx512_bf16) {
    tables.back().fast_bf16 = avx512_bf16::pays();
    // Where it does not pay, the table before it stays the one to prefer and to build on.
    if (!tables.back().fast_bf16) std::swap(tables.back(), tables.end()[-2]);
  }
  const bool wanted = cpu.amx_bf16 || cpu.amx_int8;
  const bool granted = wanted && request_amx();
  overlay(granted && cpu.amx_bf16, amx_bf16::install);
  overlay(granted && cpu.amx_int8, amx_int8::install);
  return {std::move(tables), wanted && !granted};
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
  constexpr std::string_view kNames[] = {"avx2",        "avx_vnni", "avx512",  "avx512_vnni",
                                         "avx512_bf16", "amx_bf16", "amx_int8"};
  const bool known = std::find(std::begin(kNames), std::end(kNames), isa) != std::end(kNames);
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
