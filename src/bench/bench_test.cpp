// The arithmetic of the benchmark: what is counted, timed and read about the machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "bench/ceiling.h"
#include "bench/ceiling_loops.h"
#include "bench/machine.h"
#include "bench/op_shapes.h"
#include "bench/ops.h"
#include "bench/timing.h"
#include "bench/tower.h"
#include "model/builtin.h"
#include "model/source.h"

namespace clipnext::bench {
namespace {

double sum_flops(const std::vector<OpShape>& shapes) {
  double sum = 0;
  for (const OpShape& shape : shapes) sum += static_cast<double>(shape.count) * flops(shape);
  return sum;
}

TEST(OpShapes, AddUpToTheProfileOfEveryConfig) {
  for (const model::BuiltinFile& file : model::builtin_configs()) {
    const model::ClipConfig config = model::open_config(std::string(file.name));
    EXPECT_EQ(sum_flops(image_ops(config)), tower_flops(config, Tower::kImage)) << file.name;
    EXPECT_EQ(sum_flops(text_ops(config)), tower_flops(config, Tower::kText)) << file.name;
  }
}

TEST(OpShapes, ConvNextLargeIsTheTableOfItsBlocks) {
  const auto shapes = image_ops(model::open_config("convnext_large_d_320"));
  bool found = false;
  for (const OpShape& s : shapes) {
    if (s.part != "stage 2 fc1") continue;
    found = true;
    EXPECT_EQ(s.count, 27);
    EXPECT_EQ(s.m, 400);
    EXPECT_EQ(s.n, 3072);
    EXPECT_EQ(s.k, 768);
  }
  EXPECT_TRUE(found);
}

TEST(Ops, EveryKindRunsInEveryTypeOnEveryIsa) {
  const OpShape shapes[] = {
      {.op = Op::kProduct, .m = 5, .n = 33, .k = 17, .residual = true},
      {.op = Op::kProduct, .m = 5, .n = 33, .k = 17, .act = kernels::Act::kGelu},
      {.op = Op::kDepthwise, .m = 4, .n = 3, .k = 24},
      {.op = Op::kLayerNorm, .m = 3, .n = 40},
      {.op = Op::kAttention, .m = 9, .n = 16, .causal = true},
      {.op = Op::kMeanRows, .m = 6, .n = 20},
  };
  for (const kernels::Kernels& table : kernels::available()) {
    for (const OpShape& shape : shapes) {
      for (const char* dtype : {"fp32", "bf16", "int8"}) {
        const Timing timing = time_op(table, shape, dtype, 0);
        EXPECT_GT(timing.minimum, 0) << table.isa << " " << op_name(shape.op) << " " << dtype;
      }
    }
  }
}

TEST(Timing, WarmsUpOnceThenRepeatsAtLeastThreeTimes) {
  int runs = 0;
  const Timing timing = time_repeats(0, [&] { ++runs; });
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(timing.repeats, 3);
  EXPECT_LE(timing.minimum, timing.median);
}

TEST(Ceiling, BelongsToTheTableInUse) {
  ThreadPool pool(1);
  for (const kernels::Kernels& table : kernels::available()) {
    const auto ceilings = measure_ceilings(table, pool, 0);
    if (std::string_view(table.isa) == "ref") {
      EXPECT_TRUE(ceilings.empty());
      EXPECT_EQ(ceiling_of(ceilings, "fp32"), 0);
      continue;
    }
    EXPECT_GT(ceiling_of(ceilings, "fp32"), 1e8) << table.isa;
    EXPECT_GT(ceiling_of(ceilings, "int8"), 1e8) << table.isa;
    if (std::string_view(table.isa) == "avx2") {
      for (const Ceiling& c : ceilings) {
        EXPECT_EQ(c.instruction.find("512"), std::string::npos) << c.instruction;
      }
    }
  }
}

TEST(Ceiling, IsTheHighestOfItsTypeAndFp32WhereThatTypeHasNone) {
  const std::vector<Ceiling> ceilings = {
      {"fp32", "a", 1, 10}, {"fp32", "b", 1, 20}, {"int8", "c", 1, 40}};
  EXPECT_EQ(ceiling_of(ceilings, "fp32"), 20);
  EXPECT_EQ(ceiling_of(ceilings, "int8"), 40);
  EXPECT_EQ(ceiling_of(ceilings, "bf16"), 20);
}

TEST(Ceiling, LoopsDoTheWorkTheyCount) {
  for (const CeilingLoop& loop : ceiling_loops()) {
    const auto tables = kernels::available();
    if (std::none_of(tables.begin(), tables.end(), [&](const kernels::Kernels& table) {
          return std::string_view(loop.isa) == table.isa;
        })) {
      continue;
    }
    loop.run(0);
    const Timing few = time_repeats(0.02, [&] { loop.run(20000); });
    const Timing many = time_repeats(0.02, [&] { loop.run(80000); });
    EXPECT_GT(many.minimum, 2 * few.minimum) << loop.instruction;
  }
}

TEST(Machine, ReadsTheFirstProcessorOfCpuinfo) {
  const Machine machine = parse_cpuinfo(
      "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC 9575F\n"
      "flags\t\t: fpu avx2 avx512f avx512_bf16 nonsense\n\n"
      "processor\t: 1\nmodel name\t: another\n");
  EXPECT_EQ(machine.cpu, "AMD EPYC 9575F, family 26 model 2");
  EXPECT_EQ(machine.features, (std::vector<std::string>{"avx2", "avx512f", "avx512_bf16"}));
  EXPECT_EQ(parse_cpuinfo("").cpu, "unknown");
  EXPECT_GE(this_machine().cpus, 1);
  EXPECT_EQ(utc_now().size(), 20u);
}

}  // namespace
}  // namespace clipnext::bench
