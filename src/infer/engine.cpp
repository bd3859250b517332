#include "infer/engine.h"

#include <algorithm>
#include <limits>

namespace clipnext::infer {
namespace {

constexpr int64_t kTasksPerThread = 3;             // slack for cores that are not equally fast
constexpr int64_t kSerialWork = int64_t{1} << 17;  // multiplications not worth waking threads for
constexpr int64_t kRowUnit = 12;  // about a micro-tile's height, so that few are ragged
constexpr int64_t kHiddenBytes = int64_t{1} << 20;  // of one task's hidden layer

struct Split {
  int64_t rows = 1;
  int64_t columns = 1;
};

/// Pieces of an [m, n] product: as many as the threads can use, as near to square as shapes allow,
/// since a piece reads its rows and its columns once.
Split choose_split(int64_t m, int64_t n, int64_t k, int64_t threads) {
  if (threads == 1 || m * n * k < kSerialWork) return {};
  const int64_t tasks = threads * kTasksPerThread;
  const int64_t most_rows = std::max<int64_t>(1, m / kRowUnit);
  const int64_t most_columns = std::max<int64_t>(1, n / kernels::kPackedColumns);
  Split best;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t rows = 1; rows <= std::min(tasks, most_rows); ++rows) {
    const int64_t columns = std::min((tasks + rows - 1) / rows, most_columns);
    const int64_t lacking = std::max<int64_t>(0, tasks - rows * columns);
    const double perimeter = static_cast<double>(m) / static_cast<double>(rows) +
                             static_cast<double>(n) / static_cast<double>(columns);
    const double cost = perimeter * (1.0 + static_cast<double>(lacking));
    if (cost < least) {
      least = cost;
      best = {rows, columns};
    }
  }
  return best;
}

/// The rectangle of a product that one task computes.
struct Block {
  int64_t row_begin, row_end, column_begin, column_end;
};

/// c = epilogue(a times w transposed) within `block`; a in the type of w, c f32, or bf16 unless w
/// is f32.
void multiply(const kernels::Kernels& kernels, const Rows& a, const Weight& w,
              const kernels::Epilogue& epilogue, const Rows& c, const Block& block) {
  const int64_t column = block.column_begin;
  const int64_t row = block.row_begin;
  const int64_t m = block.row_end - row;
  const int64_t n = block.column_end - column;
  kernels::Epilogue part = epilogue;
  if (part.bias != nullptr) part.bias += column;
  if (part.scale != nullptr) part.scale += column;
  if (part.residual != nullptr) part.residual += row * part.ld_residual + column;
  const Rows from = a.from(row);
  const Rows to = c.from(row);
  const bool narrow = c.type == ComputeType::kBf16;
  if (w.type == ComputeType::kFp32) {
    kernels.gemm_f32(from.f32(), from.ld, w.data() + column * w.k, m, n, w.k, part,
                     to.f32() + column, to.ld);
  } else if (w.type == ComputeType::kBf16) {
    const auto* packed = w.bf16() + column * kernels::packed_depth<kernels::Bf16>(w.k);
    if (narrow) {
      kernels.gemm_bf16_to_bf16(from.bf16(), from.ld, packed, m, n, w.k, part, to.bf16() + column,
                                to.ld);
    } else {
      kernels.gemm_bf16(from.bf16(), from.ld, packed, m, n, w.k, part, to.f32() + column, to.ld);
    }
  } else {
    const kernels::S8Weights all = w.s8();
    const kernels::S8Weights s8{.packed = all.packed + column * kernels::packed_depth<int8_t>(w.k),
                                .scales = all.scales + column,
                                .sums = all.sums + column};
    if (narrow) {
      kernels.gemm_u8s8_to_bf16(from.u8(), from.ld, from.scales, s8, m, n, w.k, part,
                                to.bf16() + column, to.ld);
    } else {
      kernels.gemm_u8s8(from.u8(), from.ld, from.scales, s8, m, n, w.k, part, to.f32() + column,
                        to.ld);
    }
  }
}

void multiply_all(Engine& engine, const Rows& a, int64_t m, const Weight& w,
                  const kernels::Epilogue& epilogue, const Rows& c) {
  const Split split = choose_split(m, w.n, w.k, engine.pool.size());
  const Pieces rows{m, split.rows};
  const Pieces columns{w.n, split.columns, kernels::kPackedColumns};
  engine.pool.parallel_for(split.rows * split.columns, [&](int64_t i) {
    const int64_t row = i % split.rows;  // neighbours in time share weights
    const int64_t column = i / split.rows;
    const Block block{rows.begin(row), rows.end(row), columns.begin(column), columns.end(column)};
    if (block.row_begin == block.row_end || block.column_begin == block.column_end) return;
    multiply(engine.kernels, a, w, epilogue, c, block);
  });
}

Pieces row_pieces(Engine& engine, int64_t rows, int64_t cols) {
  return {rows, rows * cols < kSerialWork / 8 ? 1 : engine.pool.size() * kTasksPerThread};
}

void round_all(Engine& engine, const Rows& x, int64_t rows, int64_t cols, const Rows& y) {
  const Pieces pieces = row_pieces(engine, rows, cols);
  engine.pool.parallel_for(pieces.parts, [&](int64_t i) {
    const int64_t at = pieces.begin(i);
    round_rows(engine.kernels, x.from(at), pieces.end(i) - at, cols, y.from(at));
  });
}

Rows f32_rows(const float* x, int64_t ld) {
  return {.type = ComputeType::kFp32, .values = const_cast<float*>(x), .ld = ld, .scales = nullptr};
}

/// The type that fc1's result comes in; it is rounded to that of fc2 where they differ.
ComputeType hidden_type(const Mlp& mlp) {
  const bool wide = mlp.fc1.type == ComputeType::kFp32 || mlp.fc2.type == ComputeType::kFp32;
  return wide ? ComputeType::kFp32 : ComputeType::kBf16;
}

}  // namespace

void linear(Engine& engine, const Rows& a, int64_t m, const Weight& w,
            const kernels::Epilogue& epilogue, float* c, int64_t ldc) {
  multiply_all(engine, a, m, w, epilogue, f32_rows(c, ldc));
}

void linear(Engine& engine, const float* a, int64_t lda, int64_t m, const Weight& w,
            const kernels::Epilogue& epilogue, float* c, int64_t ldc) {
  if (w.type == ComputeType::kFp32) {
    return multiply_all(engine, f32_rows(a, lda), m, w, epilogue, f32_rows(c, ldc));
  }
  const RowsLease rounded(engine.scratch, w.type, m, w.k);
  round_all(engine, f32_rows(a, lda), m, w.k, rounded.rows());
  multiply_all(engine, rounded.rows(), m, w, epilogue, f32_rows(c, ldc));
}

void add_mlp(Engine& engine, const Mlp& mlp, const Rows& y, int64_t m, float* x) {
  const int64_t c = mlp.fc1.k;
  const int64_t hidden = mlp.fc1.n;
  const int64_t threads = engine.pool.size();
  const kernels::Epilogue first{.bias = mlp.fc1_bias.data(), .act = mlp.act};
  const kernels::Epilogue second{
      .bias = mlp.fc2_bias.data(), .scale = mlp.scale, .residual = x, .ld_residual = c};
  const ComputeType type = hidden_type(mlp);
  const bool differs = type != mlp.fc2.type;
  const int64_t row_bytes = hidden * (type == ComputeType::kFp32 ? 4 : 2);
  const int64_t tile = std::max(kHiddenBytes / row_bytes, 4 * kRowUnit);
  const int64_t tiles = (m + tile - 1) / tile;
  if (tiles < threads) {  // too few rows to share out: share columns
    const RowsLease between(engine.scratch, type, m, hidden);
    multiply_all(engine, y, m, mlp.fc1, first, between.rows());
    const RowsLease rounded(engine.scratch, mlp.fc2.type, differs ? m : 0, hidden);
    if (differs) round_all(engine, between.rows(), m, hidden, rounded.rows());
    multiply_all(engine, differs ? rounded.rows() : between.rows(), m, mlp.fc2, second,
                 f32_rows(x, c));
    return;
  }
  const Pieces pieces{m, (tiles + threads - 1) / threads * threads};
  engine.pool.parallel_for(pieces.parts, [&](int64_t i) {
    const int64_t begin = pieces.begin(i);
    const int64_t rows = pieces.end(i) - begin;
    if (rows == 0) return;
    const RowsLease between(engine.scratch, type, rows, hidden);
    multiply(engine.kernels, y.from(begin), mlp.fc1, first, between.rows(), {0, rows, 0, hidden});
    const RowsLease rounded(engine.scratch, mlp.fc2.type, differs ? rows : 0, hidden);
    if (differs) round_rows(engine.kernels, between.rows(), rows, hidden, rounded.rows());
    kernels::Epilogue part = second;
    part.residual += begin * c;
    multiply(engine.kernels, differs ? rounded.rows() : between.rows(), mlp.fc2, part,
             f32_rows(x + begin * c, c), {0, rows, 0, c});
  });
}

void norm_rows(Engine& engine, const model::Norm<Weight>& norm, float eps, const float* x,
               int64_t rows, int64_t cols, const Rows& y) {
  const Pieces pieces = row_pieces(engine, rows, cols);
  engine.pool.parallel_for(pieces.parts, [&](int64_t i) {
    const int64_t at = pieces.begin(i);
    norm_rows(engine.kernels, {norm.weight.data(), norm.bias.data(), eps}, x + at * cols, cols,
              pieces.end(i) - at, cols, y.from(at));
  });
}

void norm_rows(Engine& engine, const model::Norm<Weight>& norm, float eps, const float* x,
               int64_t rows, int64_t cols, float* y) {
  norm_rows(engine, norm, eps, x, rows, cols, f32_rows(y, cols));
}

}  // namespace clipnext::infer
