// What each instruction set lays over the tables before it; called only where the CPU has it.
#pragma once

#include "kernels/kernels.h"

namespace clipnext::kernels::avx2 {
void install(Kernels& k) noexcept;
}

namespace clipnext::kernels::avx512 {
void install(Kernels& k) noexcept;
}
