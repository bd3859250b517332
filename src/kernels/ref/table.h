// The scalar table that every other one is laid over.
#pragma once

#include "kernels/kernels.h"

namespace clipnext::kernels::ref {

/// Every op of ref.h with float storage.
Kernels table() noexcept;

}  // namespace clipnext::kernels::ref
