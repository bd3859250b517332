// What each instruction set lays over the tables before it; called only where the CPU has it.
#pragma once

#include "kernels/kernels.h"

namespace clipnext::kernels::avx2 {
void install(Kernels& k) noexcept;
}

namespace clipnext::kernels::avx512 {
void install(Kernels& k) noexcept;
}

namespace clipnext::kernels::avx_vnni {
void install(Kernels& k) noexcept;
}

namespace clipnext::kernels::avx512_vnni {
void install(Kernels& k) noexcept;
}

namespace clipnext::kernels::avx512_bf16 {
void install(Kernels& k) noexcept;
/// Whether vdpbf16ps does more products a cycle than f32 FMA; on Granite Rapids it does fewer.
/// Measured in some microseconds.
bool pays() noexcept;
}  // namespace clipnext::kernels::avx512_bf16

namespace clipnext::kernels::amx_bf16 {
void install(Kernels& k) noexcept;
}

namespace clipnext::kernels::amx_int8 {
void install(Kernels& k) noexcept;
}
