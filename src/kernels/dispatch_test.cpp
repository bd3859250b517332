// Which table CLIPNEXT_ISA and the processor lead to.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/error.h"
#include "kernels/kernels.h"

namespace clipnext::kernels {
namespace {

std::string message_of(const char* isa) {
  try {
    choose(isa);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Dispatch, RefIsAlwaysAvailableAndFirst) {
  ASSERT_FALSE(available().empty());
  EXPECT_STREQ(available().front().isa, "ref");
}

TEST(Dispatch, EveryAvailableTableIsChosenByItsNameAndComplete) {
  for (const Kernels& k : available()) {
    EXPECT_EQ(&choose(k.isa), &k);
    for (const bool present : {k.pack_f32 != nullptr,          k.gemm_f32 != nullptr,
                               k.layer_norm != nullptr,        k.depthwise_conv7 != nullptr,
                               k.attention != nullptr,         k.attention_scratch != nullptr,
                               k.activation != nullptr,        k.mean_rows != nullptr,
                               k.l2_normalize != nullptr,      k.pack_bf16 != nullptr,
                               k.to_bf16 != nullptr,           k.gemm_bf16 != nullptr,
                               k.gemm_bf16_to_bf16 != nullptr, k.pack_s8 != nullptr,
                               k.quantize != nullptr,          k.quantize_bf16 != nullptr,
                               k.gemm_u8s8 != nullptr,         k.gemm_u8s8_to_bf16 != nullptr,
                               k.layer_norm_bf16 != nullptr,   k.layer_norm_u8 != nullptr,
                               k.resample_rows != nullptr,     k.resample_columns != nullptr}) {
      EXPECT_TRUE(present) << k.isa;
    }
  }
}

TEST(Dispatch, EmptyNameMeansTheBest) { EXPECT_EQ(&choose(""), &available().back()); }

TEST(Dispatch, AnUnknownNameIsAnErrorThatListsTheOthers) {
  const std::string message = message_of("avx3");
  EXPECT_NE(message.find("avx3"), std::string::npos);
  for (const Kernels& k : available()) EXPECT_NE(message.find(k.isa), std::string::npos) << message;
}

TEST(Dispatch, AnInstructionSetTheCpuLacksIsCalledThat) {
  for (const char* isa :
       {"avx2", "avx_vnni", "avx512", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"}) {
    const std::string message = message_of(isa);
    EXPECT_TRUE(message.empty() || message.find("lacks") != std::string::npos) << message;
  }
}

TEST(Dispatch, KernelsFollowsTheEnvironment) {
  const char* isa = std::getenv("CLIPNEXT_ISA");
  EXPECT_EQ(&kernels(), &choose(isa != nullptr ? isa : ""));
}

/// Exits with 0 if kernels() picked `isa`, 1 if another, 2 if it threw.
[[noreturn]] void exit_by_choice(const char* environment, const char* isa) {
  setenv("CLIPNEXT_ISA", environment, 1);
  try {
    std::exit(std::string(kernels().isa) == isa ? 0 : 1);
  } catch (const Error&) {
    std::exit(2);
  }
}

TEST(DispatchDeathTest, TheEnvironmentIsHonouredInAFreshProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(exit_by_choice("ref", "ref"), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_by_choice("", available().back().isa), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_by_choice("sse9", ""), testing::ExitedWithCode(2), "");
}

}  // namespace
}  // namespace clipnext::kernels
