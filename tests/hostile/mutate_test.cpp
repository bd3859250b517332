// The helper itself must be able to fail: memory is counted, and a parser that misbehaves is seen.
#include "hostile/mutate.h"

#include <gtest/gtest-spi.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>

namespace clipnext::hostile {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

// Keeps the compiler from removing an allocation that nothing reads.
void keep(void* p) { asm volatile("" : : "g"(p) : "memory"); }

TEST(AllocationPeak, CountsHeapOfEveryKind) {
  const AllocationPeak peak;
  {
    auto block = std::make_unique<char[]>(kMiB);
    keep(block.get());
    void* grown = std::malloc(kMiB);
    grown = std::realloc(grown, 4 * kMiB);
    keep(grown);
    std::free(grown);
  }
  EXPECT_GE(peak.bytes(), 5 * kMiB);
  EXPECT_LE(peak.bytes(), 7 * kMiB);
}

TEST(AllocationPeak, ForgetsWhatWasFreed) {
  struct alignas(64) Block {
    char bytes[64000];
  };
  const AllocationPeak peak;
  for (int i = 0; i < 100; ++i) {
    auto block = std::make_unique<Block>();
    keep(block.get());
  }
  EXPECT_LE(peak.bytes(), 80000);
}

TEST(ExpectContained, SeesWhatIsNotAnError) {
  EXPECT_NONFATAL_FAILURE(
      expect_contained({}, [](auto) { throw std::runtime_error("other"); }, "mutant", {}),
      "something other than Error: other");
  EXPECT_TRUE(expect_contained({}, [](auto) {}, "mutant", {}));
  EXPECT_FALSE(expect_contained({}, [](auto) { fail("refused"); }, "mutant", {}));
}

TEST(ExpectContained, SeesTooMuchMemory) {
  EXPECT_NONFATAL_FAILURE(
      expect_contained({}, [](auto) { keep(std::make_unique<char[]>(kMiB).get()); }, "mutant",
                       {.peak_bytes = 1000}),
      "mutant: heap");
}

TEST(ExpectSurvives, PassesAParserThatRefuses) {
  const std::string seed(9000, 'a');
  expect_survives(seed, [&](std::span<const std::byte> bytes) {
    require(as_text(bytes) == seed, "not the seed");
  });
}

}  // namespace
}  // namespace clipnext::hostile
