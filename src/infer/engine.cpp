#include "infer/engine.h"

#include <algorithm>
#include <limits>

namespace clipnext::infer {
namespace {

constexpr int64_t kTasksPerThread = 3;             // slack for cores that are not equally fast
constexpr int64_t kSerialWork = int64_t{1} << 17;  // multiplications not worth waking threads for
constexpr int64_t kRowUnit = 12;  // about a micro-tile's height, so that few are ragged
constexpr int64_t kHiddenFloats = int64_t{1} << 18;  // of one task's hidden layer: 1 MiB

struct Split {
  int64_t rows = 1;
  int64_t columns = 1;
};

/// Pieces of an [m, n] product: as many as the threads can use, as near to square as shapes allow,
/// since a piece reads its rows and its columns once.
Split choose_split(int64_t m, int64_t n, int64_t k, int64_t panel, int64_t threads) {
  if (threads == 1 || m * n * k < kSerialWork) return {};
  const int64_t tasks = threads * kTasksPerThread;
  const int64_t most_rows = std::max<int64_t>(1, m / kRowUnit);
  const int64_t most_columns = std::max<int64_t>(1, n / panel);
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

void multiply(const kernels::Kernels& kernels, const float* a, int64_t lda, const Weight& w,
              const kernels::Epilogue& epilogue, float* c, int64_t ldc, const Block& block) {
  const int64_t column = block.column_begin;
  const int64_t row = block.row_begin;
  kernels::Epilogue part = epilogue;
  if (part.bias != nullptr) part.bias += column;
  if (part.scale != nullptr) part.scale += column;
  if (part.residual != nullptr) part.residual += row * part.ld_residual + column;
  kernels.gemm_f32(a + row * lda, lda, w.data() + column * w.k, block.row_end - row,
                   block.column_end - column, w.k, part, c + row * ldc + column, ldc);
}

}  // namespace

void linear(Engine& engine, const float* a, int64_t lda, int64_t m, const Weight& w,
            const kernels::Epilogue& epilogue, float* c, int64_t ldc) {
  const int64_t panel = engine.kernels.gemm_panel;
  const Split split = choose_split(m, w.n, w.k, panel, engine.pool.size());
  const Pieces rows{m, split.rows};
  const Pieces columns{w.n, split.columns, panel};
  engine.pool.parallel_for(split.rows * split.columns, [&](int64_t i) {
    const int64_t row = i % split.rows;  // neighbours in time share weights
    const int64_t column = i / split.rows;
    const Block block{rows.begin(row), rows.end(row), columns.begin(column), columns.end(column)};
    if (block.row_begin == block.row_end || block.column_begin == block.column_end) return;
    multiply(engine.kernels, a, lda, w, epilogue, c, ldc, block);
  });
}

void add_mlp(Engine& engine, const Mlp& mlp, const float* y, int64_t m, float* x) {
  const int64_t c = mlp.fc1.k;
  const int64_t hidden = mlp.fc1.n;
  const int64_t threads = engine.pool.size();
  const kernels::Epilogue first{.bias = mlp.fc1_bias.data(), .act = mlp.act};
  kernels::Epilogue second{
      .bias = mlp.fc2_bias.data(), .scale = mlp.scale, .residual = x, .ld_residual = c};
  const int64_t tile = std::max(kHiddenFloats / hidden, 4 * kRowUnit);
  const int64_t tiles = (m + tile - 1) / tile;
  if (tiles < threads) {  // too few rows to share out: share columns
    ScratchPool::Lease buffer(engine.scratch, m * hidden);
    linear(engine, y, c, m, mlp.fc1, first, buffer.data(), hidden);
    linear(engine, buffer.data(), hidden, m, mlp.fc2, second, x, c);
    return;
  }
  const Pieces pieces{m, (tiles + threads - 1) / threads * threads};
  engine.pool.parallel_for(pieces.parts, [&](int64_t i) {
    const int64_t begin = pieces.begin(i);
    const int64_t rows = pieces.end(i) - begin;
    if (rows == 0) return;
    ScratchPool::Lease buffer(engine.scratch, rows * hidden);
    multiply(engine.kernels, y + begin * c, c, mlp.fc1, first, buffer.data(), hidden,
             {0, rows, 0, hidden});
    kernels::Epilogue part = second;
    part.residual += begin * c;
    multiply(engine.kernels, buffer.data(), hidden, mlp.fc2, part, x + begin * c, c,
             {0, rows, 0, c});
  });
}

void norm_rows(Engine& engine, const model::Norm<Weight>& norm, float eps, const float* x,
               int64_t rows, int64_t cols, float* y) {
  const int64_t parts = rows * cols < kSerialWork / 8 ? 1 : engine.pool.size() * kTasksPerThread;
  const Pieces pieces{rows, parts};
  engine.pool.parallel_for(parts, [&](int64_t i) {
    const int64_t at = pieces.begin(i) * cols;
    engine.kernels.layer_norm(x + at, cols, norm.weight.data(), norm.bias.data(),
                              pieces.end(i) - pieces.begin(i), cols, eps, y + at, cols);
  });
}

}  // namespace clipnext::infer
