// Self-attention of many sequences, of which one may go on from the beginning of another.
#pragma once

#include <cstdint>
#include <span>

#include "infer/engine.h"

namespace clipnext::infer {

/// Rows begin .. end - 1 of a matrix with a row for each position. The first `shared` positions are
/// those of the sequence before, which has no fewer, and lie there (and, if it shares them too,
/// before it); the rows are those that follow.
struct Sequence {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t shared = 0;

  int64_t length() const { return shared + end - begin; }
};

/// Which positions are queries: all that have a row, or one of each sequence, the one that is
/// pooled in the end.
enum class Queries : uint8_t { kAll, kFirst, kLast };

struct Attention {
  int64_t width, heads;
  bool causal;
};

/// qkv [rows, 3 width]: queries, keys and values side by side, heads side by side in each. out is
/// [rows, width] for all queries, else [sequences, width]. A sequence may share positions only if
/// attention is causal.
void attend(Engine& engine, const Attention& shape, std::span<const Sequence> sequences,
            const float* qkv, Queries queries, float* out);

}  // namespace clipnext::infer
