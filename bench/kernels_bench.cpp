// Every op at shapes of real models, on one thread, for every instruction set this CPU has.
// Names are op/shape/isa; GFLOP/s or Gop/s for products, GB/s (read and written once) for the rest.
//   kernels_bench --benchmark_filter=gemm --benchmark_repetitions=5
#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "fma_ceiling.h"
#include "kernels/kernels.h"

namespace clipnext::bench {
namespace {

using kernels::Act;
using kernels::Bf16;
using kernels::Epilogue;
using kernels::Kernels;

std::vector<float> normal(int64_t count) {
  std::minstd_rand generator(1);
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = distribution(generator);
  return values;
}

/// count floats from a 64-byte boundary on.
class Buffer {
 public:
  explicit Buffer(int64_t count) : storage_(normal(count + 16)) {}
  float* data() {
    void* p = storage_.data();
    size_t space = storage_.size() * sizeof(float);
    return static_cast<float*>(std::align(64, 4, p, space));
  }

 private:
  std::vector<float> storage_;
};

void set_rate(benchmark::State& state, const char* name, double per_iteration) {
  state.counters[name] = benchmark::Counter(
      per_iteration * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void ceiling(benchmark::State& state, const Kernels& k) {
  double operations = 0;
  for (auto _ : state) operations = run_fma(k.isa, 1000000);
  set_rate(state, "Gop/s", operations);
}

struct Product {
  const char* name;
  int64_t m, n, k;
  Act act = Act::kNone;
  bool block_end = false;  // scale and residual
};

Epilogue epilogue_of(const Product& p, const float* bias, const float* scale, const float* c) {
  Epilogue epilogue{.bias = bias, .act = p.act};
  if (p.block_end) {
    epilogue.scale = scale;
    epilogue.residual = c;
    epilogue.ld_residual = p.n;
  }
  return epilogue;
}

void gemm(benchmark::State& state, const Kernels& kernels, const Product& p) {
  Buffer a(p.m * p.k), w(p.n * p.k), packed(kernels::packed_columns(p.n) * p.k), c(p.m * p.n);
  Buffer bias(p.n), scale(p.n);
  kernels.pack_f32(w.data(), p.k, p.n, p.k, packed.data());
  const Epilogue epilogue = epilogue_of(p, bias.data(), scale.data(), c.data());
  for (auto _ : state) {
    kernels.gemm_f32(a.data(), p.k, packed.data(), p.m, p.n, p.k, epilogue, c.data(), p.n);
    benchmark::ClobberMemory();
  }
  set_rate(state, "GFLOP/s", 2.0 * static_cast<double>(p.m * p.n * p.k));
}

/// a [m, k] and w [n, k] in bf16; the hidden layer's product (with an activation) ends in bf16 too.
void gemm_bf16(benchmark::State& state, const Kernels& kernels, const Product& p) {
  Buffer a(p.m * p.k), w(p.n * p.k), c(p.m * p.n), bias(p.n), scale(p.n);
  Buffer packed(kernels::packed_columns(p.n) * kernels::packed_depth<Bf16>(p.k) / 2);
  std::vector<Bf16> x(static_cast<size_t>(p.m * p.k));
  auto* weights = reinterpret_cast<Bf16*>(packed.data());
  kernels.to_bf16(a.data(), p.k, p.m, p.k, x.data(), p.k);
  kernels.pack_bf16(w.data(), p.k, p.n, p.k, weights);
  const Epilogue epilogue = epilogue_of(p, bias.data(), scale.data(), c.data());
  auto* narrow = reinterpret_cast<Bf16*>(c.data());
  for (auto _ : state) {
    if (p.act == Act::kNone) {
      kernels.gemm_bf16(x.data(), p.k, weights, p.m, p.n, p.k, epilogue, c.data(), p.n);
    } else {
      kernels.gemm_bf16_to_bf16(x.data(), p.k, weights, p.m, p.n, p.k, epilogue, narrow, p.n);
    }
    benchmark::ClobberMemory();
  }
  set_rate(state, "GFLOP/s", 2.0 * static_cast<double>(p.m * p.n * p.k));
}

/// The same with 8-bit operands.
void gemm_u8s8(benchmark::State& state, const Kernels& kernels, const Product& p) {
  const int64_t columns = kernels::packed_columns(p.n);
  Buffer a(p.m * p.k), w(p.n * p.k), c(p.m * p.n), bias(p.n), scale(p.n), scales(columns);
  Buffer packed(columns * kernels::packed_depth<int8_t>(p.k) / 4);
  std::vector<int32_t> sums(static_cast<size_t>(columns));
  std::vector<uint8_t> x(static_cast<size_t>(p.m * p.k));
  std::vector<kernels::RowScale> rows(static_cast<size_t>(p.m));
  auto* values = reinterpret_cast<int8_t*>(packed.data());
  kernels.quantize(a.data(), p.k, p.m, p.k, kernels.u8_levels, x.data(), p.k, rows.data());
  kernels.pack_s8(w.data(), p.k, p.n, p.k, values, scales.data(), sums.data());
  const kernels::S8Weights weights{values, scales.data(), sums.data()};
  const Epilogue epilogue = epilogue_of(p, bias.data(), scale.data(), c.data());
  auto* narrow = reinterpret_cast<Bf16*>(c.data());
  for (auto _ : state) {
    if (p.act == Act::kNone) {
      kernels.gemm_u8s8(x.data(), p.k, rows.data(), weights, p.m, p.n, p.k, epilogue, c.data(),
                        p.n);
    } else {
      kernels.gemm_u8s8_to_bf16(x.data(), p.k, rows.data(), weights, p.m, p.n, p.k, epilogue,
                                narrow, p.n);
    }
    benchmark::ClobberMemory();
  }
  set_rate(state, "Gop/s", 2.0 * static_cast<double>(p.m * p.n * p.k));
}

void layer_norm_narrow(benchmark::State& state, const Kernels& kernels, int64_t rows, int64_t cols,
                       bool to_8_bits) {
  Buffer x(rows * cols), gain(cols), bias(cols);
  std::vector<Bf16> y(static_cast<size_t>(rows * cols));
  std::vector<kernels::RowScale> scales(static_cast<size_t>(rows));
  auto* bytes = reinterpret_cast<uint8_t*>(y.data());
  for (auto _ : state) {
    if (to_8_bits) {
      kernels.layer_norm_u8(x.data(), cols, gain.data(), bias.data(), rows, cols, 1e-6F,
                            kernels.u8_levels, bytes, cols, scales.data());
    } else {
      kernels.layer_norm_bf16(x.data(), cols, gain.data(), bias.data(), rows, cols, 1e-6F, y.data(),
                              cols);
    }
    benchmark::ClobberMemory();
  }
  set_rate(state, "GB/s", (to_8_bits ? 5.0 : 6.0) * static_cast<double>(rows * cols));
}

/// A hidden layer's rows, as many as stay in cache.
void quantize_hidden(benchmark::State& state, const Kernels& kernels, int64_t cols) {
  constexpr int64_t kRows = 64;
  Buffer x(kRows * cols);
  std::vector<Bf16> narrow(static_cast<size_t>(kRows * cols));
  std::vector<uint8_t> y(narrow.size());
  std::vector<kernels::RowScale> scales(kRows);
  kernels.to_bf16(x.data(), cols, kRows, cols, narrow.data(), cols);
  for (auto _ : state) {
    kernels.quantize_bf16(narrow.data(), cols, kRows, cols, kernels.u8_levels, y.data(), cols,
                          scales.data());
    benchmark::ClobberMemory();
  }
  set_rate(state, "GB/s", 3.0 * static_cast<double>(kRows * cols));
}

void pack(benchmark::State& state, const Kernels& kernels, int64_t n, int64_t k) {
  Buffer w(n * k), packed(kernels::packed_columns(n) * k);
  for (auto _ : state) {
    kernels.pack_f32(w.data(), k, n, k, packed.data());
    benchmark::ClobberMemory();
  }
  set_rate(state, "GB/s", 8.0 * static_cast<double>(n * k));
}

void layer_norm(benchmark::State& state, const Kernels& kernels, int64_t rows, int64_t cols) {
  Buffer x(rows * cols), y(rows * cols), gain(cols), bias(cols);
  for (auto _ : state) {
    kernels.layer_norm(x.data(), cols, gain.data(), bias.data(), rows, cols, 1e-6F, y.data(), cols);
    benchmark::ClobberMemory();
  }
  set_rate(state, "GB/s", 8.0 * static_cast<double>(rows * cols));
}

void depthwise(benchmark::State& state, const Kernels& kernels, int64_t side, int64_t c) {
  Buffer x(side * side * c), y(side * side * c), weight(49 * c), bias(c);
  for (auto _ : state) {
    kernels.depthwise_conv7(x.data(), side, side, c, weight.data(), bias.data(), 0, side, y.data());
    benchmark::ClobberMemory();
  }
  set_rate(state, "GFLOP/s", 98.0 * static_cast<double>(side * side * c));
}

void attention(benchmark::State& state, const Kernels& kernels, int64_t t, int64_t d, int64_t heads,
               bool causal) {
  const int64_t ld = 3 * heads * d;
  Buffer qkv(t * ld), out(t * heads * d), scratch(kernels.attention_scratch(t, d));
  const float* q = qkv.data();
  for (auto _ : state) {
    kernels.attention(q, q + heads * d, q + 2 * heads * d, ld, t, t, d, causal, scratch.data(),
                      out.data(), heads * d);
    benchmark::ClobberMemory();
  }
  set_rate(state, "GFLOP/s", 4.0 * static_cast<double>(t * t * d) * (causal ? 0.5 : 1));
}

void activation(benchmark::State& state, const Kernels& kernels, Act act) {
  constexpr int64_t kCount = 4096;
  Buffer x(kCount), y(kCount);
  for (auto _ : state) {
    kernels.activation(x.data(), kCount, act, y.data());
    benchmark::ClobberMemory();
  }
  set_rate(state, "GB/s", 8.0 * kCount);
}

void mean_rows(benchmark::State& state, const Kernels& kernels, int64_t rows, int64_t c) {
  Buffer x(rows * c), y(c);
  for (auto _ : state) {
    kernels.mean_rows(x.data(), rows, c, y.data());
    benchmark::ClobberMemory();
  }
  set_rate(state, "GB/s", 4.0 * static_cast<double>(rows * c));
}

/// convnext_large_d_320's products (stages 0 to 3, fc1 and fc2, downsamples), then ViT-L-14-336's.
constexpr Product kProducts[] = {
    {"convnext_large_s0_fc1", 6400, 768, 192, Act::kGelu},
    {"convnext_large_s0_fc2", 6400, 192, 768, Act::kNone, true},
    {"convnext_large_s1_fc1", 1600, 1536, 384, Act::kGelu},
    {"convnext_large_s1_fc2", 1600, 384, 1536, Act::kNone, true},
    {"convnext_large_s2_fc1", 400, 3072, 768, Act::kGelu},
    {"convnext_large_s2_fc2", 400, 768, 3072, Act::kNone, true},
    {"convnext_large_s3_fc1", 100, 6144, 1536, Act::kGelu},
    {"convnext_large_s3_fc2", 100, 1536, 6144, Act::kNone, true},
    {"convnext_large_stem", 6400, 192, 48},
    {"convnext_large_downsample3", 100, 1536, 3072},
    {"vit_l_336_fc1", 577, 4096, 1024, Act::kQuickGelu},
    {"vit_l_336_fc2", 577, 1024, 4096, Act::kNone, true},
    {"text_qkv", 12, 2304, 768},
    {"head_row", 1, 768, 1536},
};

void add(const std::string& op, const std::string& shape, const Kernels& kernels,
         std::function<void(benchmark::State&)> run) {
  benchmark::RegisterBenchmark((op + "/" + shape + "/" + kernels.isa).c_str(), std::move(run))
      ->UseRealTime();
}

void add_all(const Kernels& k) {
  if (run_fma(k.isa, 1) > 0) {
    add("fma", "ceiling", k, [&k](auto& s) { ceiling(s, k); });
  }
  for (const Product& p : kProducts) add("gemm", p.name, k, [&](auto& s) { gemm(s, k, p); });
  for (const Product& p : kProducts) {
    add("gemm_bf16", p.name, k, [&](auto& s) { gemm_bf16(s, k, p); });
    add("gemm_u8s8", p.name, k, [&](auto& s) { gemm_u8s8(s, k, p); });
  }
  add("pack", "1536x6144", k, [&k](auto& s) { pack(s, k, 1536, 6144); });
  for (const int64_t i : {0, 1, 2, 3}) {
    const int64_t side = 80 >> i;
    const int64_t c = int64_t{192} << i;
    const std::string stage = "convnext_large_s" + std::to_string(i);
    add("layer_norm", stage, k, [&k, side, c](auto& s) { layer_norm(s, k, side * side, c); });
    add("layer_norm_bf16", stage, k,
        [&k, side, c](auto& s) { layer_norm_narrow(s, k, side * side, c, false); });
    add("layer_norm_u8", stage, k,
        [&k, side, c](auto& s) { layer_norm_narrow(s, k, side * side, c, true); });
    add("quantize_bf16", stage, k, [&k, c](auto& s) { quantize_hidden(s, k, 4 * c); });
    add("depthwise_conv7", stage, k, [&k, side, c](auto& s) { depthwise(s, k, side, c); });
  }
  add("depthwise_conv7", "convnext_base_s3", k, [&k](auto& s) { depthwise(s, k, 10, 1024); });
  add("attention", "vit_l_336", k, [&k](auto& s) { attention(s, k, 577, 64, 16, false); });
  add("attention", "vit_h_224", k, [&k](auto& s) { attention(s, k, 257, 80, 16, false); });
  add("attention", "text_77", k, [&k](auto& s) { attention(s, k, 77, 64, 12, true); });
  add("activation", "gelu", k, [&k](auto& s) { activation(s, k, Act::kGelu); });
  add("activation", "quick_gelu", k, [&k](auto& s) { activation(s, k, Act::kQuickGelu); });
  add("mean_rows", "convnext_large", k, [&k](auto& s) { mean_rows(s, k, 100, 1536); });
}

}  // namespace
}  // namespace clipnext::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const auto& k : clipnext::kernels::available()) clipnext::bench::add_all(k);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
